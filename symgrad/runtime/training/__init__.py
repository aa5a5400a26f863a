"""Steps, epochs and whole trainings of a module, and what broke in one."""
