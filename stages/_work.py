"""Names in a task's work folder that several stages know."""

INFO_NAME = "info.json"
"""What the extractor found, so that the page is not fetched again."""
PAGE_INFO_NAME = "page.json"
"""The same for a page that is not where the media comes from."""
MEDIA_STEM = "media"
"""The downloaded file, before its extension."""
AUDIO_NAME = "audio.s16le"
"""16 kHz mono signed 16-bit little-endian samples, nothing else."""
SAMPLE_RATE = 16_000
BYTES_PER_SAMPLE = 2
