"""The recipe of the bundled model: a tiny Whisper, trained from nothing on synthetic speech."""
