"""The part that is the same in every emitted module: `compiler/module` puts its text below the model."""
