"""The pipeline of one video: accept, claim, place, run, settle, compose, deliver."""

__version__ = "0.1.0"
