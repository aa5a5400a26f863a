"""From the text of a spec to a `Spec`: YAML, the schema, one block after another."""
