"""Programs for those who work on this repository; run them as ``python -m tools.NAME``."""
