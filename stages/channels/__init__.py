"""Ways to a reader: each sends one message at a time, exactly as it was frozen."""
