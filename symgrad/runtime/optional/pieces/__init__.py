"""What a module has in place of other parts where its data go in pieces."""
