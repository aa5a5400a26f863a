"""Logs of a run that others read while it trains: tables in its folder, TensorBoard, MLflow."""
