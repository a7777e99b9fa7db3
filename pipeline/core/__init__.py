"""What decides: pure functions over values. No clock, no files, no threads, no logging."""
