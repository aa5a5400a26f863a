"""From a plan to loops."""
