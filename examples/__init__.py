"""Short recordings of speech with the text that is spoken in them, and how to score a transcript."""
