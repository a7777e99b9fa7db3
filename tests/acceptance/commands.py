"""``run_daemon.py`` as a command that ends by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.daemon import ROOT

TIMEOUT_S = 60.0


def run_daemon(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; what it prints is text."""
    command = [sys.executable, str(ROOT / "run_daemon.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
