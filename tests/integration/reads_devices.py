"""Finds and reads the devices of this machine, again for every line of stdin, and prints what it saw as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from pipeline.engine.devices import MachineProbe, driver_version, find_devices
from pipeline.log import set_up_for_command


def say(what: object) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer every line with a reading; the line holds our process on each device."""
    set_up_for_command()  # what is logged does not mix with the answers
    devices = find_devices("auto", 2)
    say([asdict(device) for device in devices] + [driver_version()])
    probe = MachineProbe(devices)
    for line in sys.stdin:
        say([asdict(reading) for reading in probe.read(json.loads(line))])


if __name__ == "__main__":
    main()
