"""Random specs of every kind, against an oracle that shares nothing with compiler and verifier."""
