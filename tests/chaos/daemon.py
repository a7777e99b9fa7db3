"""The real daemon with the scripted recognizer, on a clock that may run faster.

``python -m tests.chaos.daemon [--speed N] --config PATH`` is ``daemon.serve`` with two things that its caller may
choose: the recognizer's module, which is an argument, and the event loop, for which Python has a policy. On the fast
loop every wait of the daemon (of its lanes, between retries, for an answer) is N times as short; threads and children
know nothing of it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from daemon import serve
from pipeline.config import load_settings
from tests.chaos.clock import FastPolicy

RECOGNIZER = "tests.chaos.recognizer"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.daemon")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    options = parser.parse_args()
    asyncio.set_event_loop_policy(FastPolicy(options.speed))
    return serve(lambda: load_settings(options.config), RECOGNIZER)


if __name__ == "__main__":
    sys.exit(main())
