"""Sugar taken out: chains, layers, losses, optimizers and schedules of the library become equations."""
