"""``test_concurrent.py``: it tells a daemon that works side by side from one that cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import test_concurrent
from examples.samples import FOLDER
from tests.acceptance.conftest import Start
from tests.daemon import ROOT
from tests.fakes.site import Reply, Site

TIMEOUT_S = 120.0


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, test_concurrent.__file__, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_demo_shows_the_overlap() -> None:
    """With a daemon of its own, downloads and transcriptions overlap, and the timeline shows it."""
    done = check("--demo")
    assert (0, "") == (done.returncode, done.stderr)
    assert "Everything held." in done.stdout
    for row in ("downloaded at once", "transcribed at once"):
        (line,) = (line for line in done.stdout.splitlines() if row in line)
        assert {"2", "3"} & set(line)
    assert done.stdout.count("(1/") == 7


def test_a_daemon_that_takes_one_at_a_time_is_found_out(site: Site, start: Start) -> None:
    """Against a running daemon with one worker and one slot it ends with 1, and names both settings."""
    daemon = start(concurrent={"max_workers": 1}, scheduler={"max_tasks_per_gpu": 1})
    urls = [site.serve(f"/{name}", Reply(file=FOLDER / name)) for name in ("en-friday.mp4", "zh-wednesday.mp4")]
    done = check("--url", daemon.url, "--token", daemon.token, "--videos", *urls)
    assert (1, "") == (done.returncode, done.stderr)
    assert "concurrent.max_workers" in done.stdout
    assert "scheduler.max_tasks_per_gpu" in done.stdout
    assert "came between" not in done.stdout


def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    """It ends with 1 and names what does not answer, whatever secrets this terminal lacks; without two with 2."""
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps({"storage": {"dir": str(tmp_path)}, "wechat": {"webhook": {"env": "A_WEBHOOK_OF_ANOTHER_TERMINAL"}}})
    )
    gone = check("--config", str(config), "--videos", "https://a.example", "https://b.example")
    assert (1, True) == (gone.returncode, "daemon.json is not there" in gone.stderr)
    done = check(
        "--url", "http://127.0.0.1:9", "--token", "some-token", "--videos", "https://a.example", "https://b.example"
    )
    assert (1, True) == (done.returncode, "http://127.0.0.1:9" in done.stderr)
    one = check("--videos", "https://a.example")
    assert ((2, 2), True) == ((check().returncode, one.returncode), "2 to 100 videos" in one.stderr)
