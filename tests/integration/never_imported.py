"""A program whose imports take for ever, as they seem to on a loaded machine."""

import signal

signal.pause()
