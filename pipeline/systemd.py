"""Tell systemd how far we are, where it started us: the protocol of sd_notify(3), one datagram for each state."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def tell_systemd(state: str) -> None:
    """Send a state such as ``READY=1``; where nobody asked for it, do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # Where nobody listens any more, as in a shell that inherited the variable, there is nobody to tell.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        channel.sendall(state.encode())


def watchdog_s() -> float | None:
    """Seconds of silence after which systemd gives this process up (``WatchdogSec=``); None if it does not."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or process not in {"", str(os.getpid())}:
        return None
    return int(microseconds) / 1_000_000 or None
