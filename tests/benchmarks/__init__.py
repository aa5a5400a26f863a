"""symgrad beside what a user would pick instead, and beside the floor that the machine sets."""
