"""What happened in each epoch: kept, shown and drawn."""
