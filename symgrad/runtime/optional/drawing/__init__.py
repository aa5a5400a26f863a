"""What a module has in place of other parts where numbers are drawn."""
