"""What operators type, and the single-machine mode."""
