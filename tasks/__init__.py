"""The clock and the queue: one id in, one use case, then stop."""
