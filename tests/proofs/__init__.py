"""What is proved of every example, every lecture and every row of the library."""
