"""The pipeline of one video: accept, claim, place, run, settle, compose, deliver."""
