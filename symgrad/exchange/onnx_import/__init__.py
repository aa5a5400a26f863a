"""ONNX in: from a graph of operators to the spec of the same network."""
