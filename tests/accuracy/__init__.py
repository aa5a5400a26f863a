"""How exact the functions of the language are in emitted modules: `python tests/accuracy` says it."""
