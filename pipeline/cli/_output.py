"""What standard output can show; here nothing but the standard library is imported."""

from __future__ import annotations

import io
import sys


def show_any_character() -> None:
    """Show the code of a character that the locale has no place for, as standard error does, and go on.

    We print Chinese and bars of blocks; a locale of Latin-1 would end every command, and the help, with a traceback.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
