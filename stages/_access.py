"""How sites are reached: what the fetch child is told of the settings, whichever of its modes is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.ports import StageContext

LONGEST_SILENCE_S = 30.0
"""Of one connection; a download as a whole has ``download.stall_s``."""
CONNECTIONS_A_STALL = 2.5
"""A download that stands still is asked for anew twice, by range where that is possible, before its time is over."""


def access(ctx: StageContext, connections: float = 1.0) -> dict[str, Any]:
    """Give the fields of a request to the fetch child that say how it goes out.

    Args:
        ctx: of the stage that asks.
        connections: how many may fall silent, one after the other, within ``download.stall_s``.
    """
    download = ctx.settings.download
    return {
        "socket_timeout_s": min(LONGEST_SILENCE_S, download.stall_s / connections),
        "proxy": download.proxy.get_secret_value(),
        "cookies_dir": str(Path(download.cookies_dir).expanduser()) if download.cookies_dir else None,
        "js_runtimes": list(download.js_runtimes),
    }
