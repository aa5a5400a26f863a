"""Sugar taken out: chains, layers, losses, optimisers and schedules of the library become equations."""
