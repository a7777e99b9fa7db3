"""``make bench``: measure everything, print a section for each benchmark; ``--write`` puts them into the page."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable

from benchmarks import (
    attention,
    claim,
    crowd,
    durable,
    efficiency,
    memory,
    placement,
    quality,
    restart,
    sharing,
    submit,
    windows,
)
from benchmarks.chart import chart
from benchmarks.figures import ROOT, Figure, machine, table

ALL: dict[str, Callable[[], list[Figure]]] = {
    "efficiency": efficiency.measure,
    "sharing": sharing.measure,
    "windows": windows.measure,
    "attention": attention.measure,
    "memory": memory.measure,
    "quality": quality.measure,
    "submit": submit.measure,
    "durable": durable.measure,
    "claim": claim.measure,
    "placement": placement.measure,
    "restart": restart.measure,
    "crowd": crowd.measure,
}
PAGE = ROOT / "docs" / "performance.md"
CHARTS = ROOT / "docs" / "performance"


def main() -> int:
    """Measure what was named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the daemon as a whole.")
    parser.add_argument("names", nargs="*", choices=[[], *ALL], help="which; everything if none is named")
    parser.add_argument("--write", action="store_true", help="put tables and charts into docs/performance.md")
    wanted = parser.parse_args()
    for name in wanted.names or ALL:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        began, measured_on = time.monotonic(), machine()
        figures = ALL[name]()
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        section = f"{measured_on}:\n\n{table(figures)}"
        print(f"## {name}\n\n{section}\n", flush=True)
        if wanted.write:
            _write(name, section, figures)
    return 0


def _write(name: str, section: str, figures: list[Figure]) -> None:
    """Replace what stands between the marks of a benchmark in the page, and its chart."""
    if any(figure.bar for figure in figures):
        CHARTS.mkdir(exist_ok=True)
        (CHARTS / f"{name}.svg").write_text(chart(figures), encoding="utf-8")
        section += f"\n\n![how far each figure is from its bar]({CHARTS.name}/{name}.svg)"
    text = PAGE.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    PAGE.write_text(marks.sub(lambda found: f"{found[1]}\n{section}\n\n{found[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
