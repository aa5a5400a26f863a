"""What a module has for sequences: one step of time, and labels written on."""
