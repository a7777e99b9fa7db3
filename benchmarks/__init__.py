"""Measurements of the daemon as a whole; every figure is a ratio within one run, or says what machine it is of."""
