"""Programs that the tests of child processes run: each ends in one of the ways a child can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from pipeline.failures import MediaNoAudio


def main(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Do what ``request["do"]`` names."""
    emit({"pid": os.getpid()})
    return globals()[request["do"]](request, emit)


def count(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    for number in range(request["to"]):
        emit({"number": number})
    emit({"log": {"level": 30, "event": "counted", "to": request["to"]}})
    return {"counted": request["to"], "environment": sorted(os.environ), "text": "汉字"}


def fail(_request: dict[str, Any], _emit: object) -> NoReturn:
    raise MediaNoAudio("on purpose")


def crash(_request: dict[str, Any], _emit: object) -> NoReturn:
    raise RuntimeError("a defect")


def die(_request: dict[str, Any], _emit: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("still alive")


def hang(_request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> NoReturn:
    grandchild = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    emit({"grandchild": grandchild.pid})
    while True:
        signal.pause()


def chatter(_request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> NoReturn:
    while True:
        emit({"log": {"level": 10, "event": "still here"}})
