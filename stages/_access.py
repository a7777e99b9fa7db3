"""How sites are reached: what the fetch child is told of the settings, whichever of its modes is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.ports import StageContext

LONGEST_SILENCE_S = 30.0
"""Of one connection; a download as a whole has ``download.stall_s``."""


def access(ctx: StageContext) -> dict[str, Any]:
    """Give the fields of a request to the fetch child that say how it goes out."""
    download = ctx.settings.download
    return {
        "socket_timeout_s": min(LONGEST_SILENCE_S, download.stall_s),
        "proxy": download.proxy.get_secret_value(),
        "cookies_dir": str(Path(download.cookies_dir).expanduser()) if download.cookies_dir else None,
        "js_runtimes": list(download.js_runtimes),
    }
