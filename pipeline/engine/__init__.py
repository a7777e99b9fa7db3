"""The recognizer: devices, models, and the process on each device that owns its models."""
