"""The worst instants to be killed or stopped at, each set as a trap that a fake or the recognizer springs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tests.chaos.recognizer import SLOW_START
from tests.chaos.recordings import Recording
from tests.chaos.world import Deed, World, key_of
from tests.fakes.llm import Asked, Fault as LlmFault
from tests.fakes.site import Reply
from tests.fakes.wecom import Fault

Trap: TypeAlias = tuple[str, Recording]
"""The address of a tape and the tape."""
SetTrap: TypeAlias = Callable[[World, Deed], Trap]

SLOW = 400_000
"""Bytes a second of a download that is to be met in the middle."""


@dataclass(frozen=True)
class Instant:
    """One of them, and what it costs at most."""

    name: str
    set_trap: SetTrap
    """Puts a tape on the site, and has the deed done to the daemon when it comes to this point."""
    repeats: int = 0
    """Messages that the robot gets twice: exactly so many."""
    visits: int = 2
    """Requests to the site, at most: one for the page, one for the media, and the one that was struck."""
    questions: int = 0
    """Questions to the LLM that were on their way and are asked again, at most."""
    struck_by_client: bool = False
    """Nobody strikes but who has just read the 202."""
    slow: bool = False
    """A stop waits here for as long as it waits for anything."""
    frozen: bool = False
    """The daemon is held still while it is answered, so that it surely dies without having read."""


def _plain(world: World, _deed: Deed) -> Trap:
    tape = world.tape()
    return world.serve(tape), tape


def _on_the_page(world: World, deed: Deed) -> Trap:
    tape = world.tape()
    fine = Reply(body=tape.wav())
    return world.serve(tape, Reply(body=tape.wav(), strike=world.doing(deed)), fine), tape


def _in_the_download(share: float) -> SetTrap:
    def set_trap(world: World, deed: Deed) -> Trap:
        tape = world.tape()
        body = tape.wav()
        struck = Reply(body=body, bytes_per_s=SLOW, strike=world.doing(deed), strike_after=int(len(body) * share))
        return world.serve(tape, Reply(body=body), struck, Reply(body=body)), tape

    return set_trap


def _on_a_page_that_hangs(world: World, deed: Deed) -> Trap:
    tape = world.tape()
    silent = Reply(body=tape.wav(), stall_after=1, strike=world.doing(deed))
    return world.serve(tape, silent, Reply(body=tape.wav())), tape


def _while_the_engine_loads(world: World, _deed: Deed) -> Trap:
    (world.temporary / SLOW_START).touch()
    return _plain(world, _deed)


def _in_the_recognizer(at: int) -> SetTrap:
    def set_trap(world: World, deed: Deed) -> Trap:
        tape = world.tape(fault=f"{deed} the daemon", at=at, pace_s=0.02)
        return world.serve(tape), tape

    return set_trap


def _at_the_llm(fault: Callable[[World, Deed], LlmFault], chosen: Callable[[Asked], bool]) -> SetTrap:
    def set_trap(world: World, deed: Deed) -> Trap:
        once = [fault(world, deed)]
        world.llm.fault_of = lambda asked: once.pop() if once and chosen(asked) else None
        return _plain(world, deed)

    return set_trap


def _at_the_robot(fault: Callable[[World, Deed], Fault]) -> SetTrap:
    def set_trap(world: World, deed: Deed) -> Trap:
        world.wecom.robot(key_of("red")).script(None, fault(world, deed))
        return _plain(world, deed)

    return set_trap


HANGING = (
    Instant("a page is asked for that never comes", _on_a_page_that_hangs),
    Instant("the engine loads its model", _while_the_engine_loads),
    Instant(
        "a chunk is to be proofread, and there is no answer",
        _at_the_llm(
            lambda world, deed: LlmFault(on_arrival=world.doing(deed), hold=world.llm.gate("never opened")),
            lambda asked: not asked.is_summary,
        ),
        slow=True,
    ),
)
"""What does not come to its end by itself, where the daemon is asked to stop."""

ALL = (
    Instant("the 202 has been read", _plain, struck_by_client=True),
    Instant("the page is asked for", _on_the_page, visits=3),
    Instant("half of the media has been sent", _in_the_download(0.5), visits=3),
    Instant("all of the media has been sent", _in_the_download(1.0), visits=3),
    Instant("the recognizer is asked", _in_the_recognizer(0)),
    Instant("the sixth segment has been told", _in_the_recognizer(6)),
    Instant(
        "a chunk is to be proofread",
        _at_the_llm(lambda world, deed: LlmFault(on_arrival=world.doing(deed)), lambda asked: not asked.is_summary),
        questions=4,
    ),
    Instant(
        "a proofread chunk is answered, not read",
        _at_the_llm(
            lambda world, deed: LlmFault(on_arrival=world.freeze, on_answered=world.doing(deed)),
            lambda asked: not asked.is_summary,
        ),
        questions=4,
        frozen=True,
    ),
    Instant(
        "the summary is asked for",
        _at_the_llm(lambda world, deed: LlmFault(on_arrival=world.doing(deed)), lambda asked: asked.is_summary),
        questions=4,
    ),
    Instant(
        "a message has come and is not taken",
        _at_the_robot(lambda world, deed: Fault(status=503, on_arrival=world.doing(deed))),
    ),
    Instant(
        "a message is taken, not answered",
        _at_the_robot(lambda world, deed: Fault(on_arrival=world.doing(deed))),
        repeats=1,
    ),
    Instant(
        "a message is answered, not read",
        _at_the_robot(lambda world, deed: Fault(on_arrival=world.freeze, on_answered=world.doing(deed))),
        repeats=1,
        frozen=True,
    ),
)
