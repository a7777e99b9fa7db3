"""Run a program of ours that ends with its daemon: ``python -m pipeline.lifeline MODULE ARGUMENT…``.

The program's stdin is the lifeline: the daemon holds the other end and never writes to it, so its end is the end
of the daemon, however that came. It is watched before anything else of the program is imported.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def hold_lifeline() -> None:
    """Watch stdin from a thread of its own; when it closes, end this process group, grandchildren included."""
    threading.Thread(target=_end_with_stdin, name="lifeline", daemon=True).start()


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    hold_lifeline()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
