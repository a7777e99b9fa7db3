"""The real daemon with the scripted recognizer, on a clock that may run faster or be set.

``python -m tests.chaos.daemon [--speed N] --clock FILE --config PATH`` is ``daemon.serve`` with three things that its
caller may choose: the recognizer's module, which is an argument; the event loop, for which Python has a policy; and
what the machine's clock says, which another process sets by the file. On the fast loop every wait of the daemon (of its
lanes, between retries, for an answer) is N times as short; threads and children know nothing of it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.chaos.clock import FastPolicy, WallClock

RECOGNIZER = "tests.chaos.recognizer"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.daemon")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    options = parser.parse_args()
    WallClock(options.clock).hang_up()
    from daemon import serve  # noqa: PLC0415 - it keeps the clock that it finds
    from pipeline.config import load_settings  # noqa: PLC0415 - the same

    asyncio.set_event_loop_policy(FastPolicy(options.speed))
    return serve(lambda: load_settings(options.config), RECOGNIZER)


if __name__ == "__main__":
    sys.exit(main())
