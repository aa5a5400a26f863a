"""What an index may be: an affine form of others, a quotient or a remainder."""
