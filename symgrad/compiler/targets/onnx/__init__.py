"""The network as a graph of ONNX operators: what is predicted, for programs in any language to run."""
