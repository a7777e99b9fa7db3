"""Small real servers and real media in place of the world; they record what they see and fail on demand."""
