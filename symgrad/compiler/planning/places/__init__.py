"""Where tensors lie in the workspace: for how long each is needed, and equal layers a stride apart."""
