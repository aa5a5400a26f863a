"""What training makes: epochs, fits, ranks that share them."""
