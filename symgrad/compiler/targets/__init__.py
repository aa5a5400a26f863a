"""The languages that instructions are printed in; README.md says how to write another."""
