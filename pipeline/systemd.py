"""Tell systemd how far we are, where it started us: the protocol of sd_notify(3), one datagram for each state."""

from __future__ import annotations

import os
import socket


def tell_systemd(state: str) -> None:
    """Send a state such as ``READY=1``; where nobody asked for it, do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        channel.sendall(state.encode())
