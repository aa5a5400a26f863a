"""Processes that train together: ranks of a communicator, how they are begun, and what becomes of them."""
