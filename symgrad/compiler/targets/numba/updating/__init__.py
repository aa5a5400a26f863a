"""What changes parameters, where more is to be said than of one loop over all of them."""
