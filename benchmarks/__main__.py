"""``make bench``: measure everything, print one table."""

from __future__ import annotations

import argparse
import sys

from benchmarks import claim, crowd, pipeline, restart, submit
from benchmarks.figures import table

ALL = {
    "claim": claim.measure,
    "pipeline": pipeline.measure,
    "submit": submit.measure,
    "restart": restart.measure,
    "crowd": crowd.measure,
}


def main() -> int:
    """Measure what was named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the daemon as a whole.")
    parser.add_argument("names", nargs="*", choices=[[], *ALL], help="which; everything if none is named")
    figures = []
    for name in parser.parse_args().names or ALL:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        figures += ALL[name]()
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
