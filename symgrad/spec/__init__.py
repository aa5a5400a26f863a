"""What a user says: the spec language, its reader and the library it can name."""
