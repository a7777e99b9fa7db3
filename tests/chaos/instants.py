"""The worst instants to die at, each set as a trap that a fake or the recognizer springs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.recordings import Recording
from tests.chaos.world import World, key_of
from tests.fakes.llm import Asked, Fault as LlmFault
from tests.fakes.site import Reply
from tests.fakes.wecom import Fault

Trap = tuple[str, Recording]
"""The address of a tape and the tape."""

SLOW = 400_000
"""Bytes a second of a download that is to be met in the middle."""


@dataclass(frozen=True)
class Instant:
    """One of them, and what it costs at most."""

    name: str
    set_trap: Callable[[World], Trap]
    repeats: int = 0
    """Messages that the robot gets twice: exactly so many."""
    visits: int = 2
    """Requests to the site, at most: one for the page, one for the media, and the one that was struck."""
    questions: int = 0
    """Questions to the LLM that were on their way and are asked again, at most."""
    struck_by_client: bool = False
    """Nobody strikes but who has just read the 202."""


def _plain(world: World) -> Trap:
    tape = world.tape()
    return world.serve(tape), tape


def _on_the_page(world: World) -> Trap:
    tape = world.tape()
    fine = Reply(body=tape.wav())
    return world.serve(tape, Reply(body=tape.wav(), strike=world.strike), fine), tape


def _in_the_download(share: float) -> Callable[[World], Trap]:
    def set_trap(world: World) -> Trap:
        tape = world.tape()
        body = tape.wav()
        struck = Reply(body=body, bytes_per_s=SLOW, strike=world.strike, strike_after=int(len(body) * share))
        return world.serve(tape, Reply(body=body), struck, Reply(body=body)), tape

    return set_trap


def _in_the_recognizer(at: int) -> Callable[[World], Trap]:
    def set_trap(world: World) -> Trap:
        tape = world.tape(fault="kill the daemon", at=at, pace_s=0.02)
        return world.serve(tape), tape

    return set_trap


def _at_the_llm(fault: Callable[[World], LlmFault], chosen: Callable[[Asked], bool]) -> Callable[[World], Trap]:
    def set_trap(world: World) -> Trap:
        once = [fault(world)]
        world.llm.fault_of = lambda asked: once.pop() if once and chosen(asked) else None
        return _plain(world)

    return set_trap


def _at_the_robot(fault: Callable[[World], Fault]) -> Callable[[World], Trap]:
    def set_trap(world: World) -> Trap:
        world.wecom.robot(key_of("red")).script(None, fault(world))
        return _plain(world)

    return set_trap


ALL = (
    Instant("the 202 has been read", _plain, struck_by_client=True),
    Instant("the page is asked for", _on_the_page, visits=3),
    Instant("half of the media has been sent", _in_the_download(0.5), visits=3),
    Instant("all of the media has been sent", _in_the_download(1.0), visits=3),
    Instant("the recognizer is asked", _in_the_recognizer(0)),
    Instant("the sixth segment has been told", _in_the_recognizer(6)),
    Instant(
        "a chunk is to be proofread",
        _at_the_llm(lambda world: LlmFault(on_arrival=world.strike), lambda asked: not asked.is_summary),
        questions=4,
    ),
    Instant(
        "a proofread chunk is answered, not read",
        _at_the_llm(
            lambda world: LlmFault(on_arrival=world.freeze, on_answered=world.strike),
            lambda asked: not asked.is_summary,
        ),
        questions=4,
    ),
    Instant(
        "the summary is asked for",
        _at_the_llm(lambda world: LlmFault(on_arrival=world.strike), lambda asked: asked.is_summary),
        questions=1,
    ),
    Instant(
        "a message has come and is not taken", _at_the_robot(lambda world: Fault(status=503, on_arrival=world.strike))
    ),
    Instant(
        "a message is taken, not answered",
        _at_the_robot(lambda world: Fault(on_arrival=world.strike)),
        repeats=1,
    ),
    Instant(
        "a message is answered, not read",
        _at_the_robot(lambda world: Fault(on_arrival=world.freeze, on_answered=world.strike)),
        repeats=1,
    ),
)
