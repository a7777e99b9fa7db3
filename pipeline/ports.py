"""The seams of the house: what the parts need from one another, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from pipeline.config import Settings
from pipeline.core.device import Reading
from pipeline.core.messages import Message, Run
from pipeline.core.products import Artifacts, Product
from pipeline.core.task import FREE, Lane, LayerState, Stage, Task, TaskWarning, Usage
from pipeline.core.transcript import Segment
from pipeline.llm_failures import LlmFailed

# ---------------------------------------------------------------------------------------------
# Stages
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """What a stage made: its product, the state of the layer it stands for, and what to warn of.

    ``compose`` makes runs of messages; every other stage makes one product.
    """

    product: Product | tuple[Run, ...]
    layer: tuple[str, LayerState] | None = None
    warnings: tuple[TaskWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognition:
    """What the recognizer is asked for; the result starts after ``resume_after_s`` of the recording."""

    audio: Path
    """Its samples; while they are being decoded, ``task.GROWING`` stands behind the name."""
    length_s: Callable[[], float]
    """How long it is, as far as is known at the moment."""
    language: str | None
    hotwords: str | None
    prompt: str | None
    resume_after_s: float
    sequential: bool = False
    """Without batches, each stretch knowing the text before it."""
    word_times: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question to an LLM, complete in itself.

    ``system`` is what it is told to do; ``user`` holds data, which is never an instruction.
    """

    purpose: Literal["proofread", "summary"]
    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an LLM answered, whole."""

    text: str
    model: str
    usage: Usage = FREE


@dataclass(frozen=True, slots=True)
class TooLong:
    """The question or its answer is longer than the LLM can take: it may be asked in smaller pieces."""

    model: str
    usage: Usage = FREE


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No LLM answered, and asking again now would change nothing."""

    error: LlmFailed
    usage: Usage = FREE


Reply = Answer | TooLong | Unanswered


OnSegments: TypeAlias = Callable[[Sequence[Segment], float, str], None]
"""Called with new segments, the seconds of the recording that are done, and the language."""


class StageContext(Protocol):
    """What a stage may use of the house. Every call may raise ``Interrupted`` when the daemon stops."""

    @property
    def task(self) -> Task: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def work(self) -> Path:
        """The task's own folder; it is gone once the transcript is stored."""
        ...

    @property
    def log(self) -> Any: ...  # noqa: ANN401 - structlog's logger has no narrower type

    def report(self, fraction: float, **details: float | None) -> None:
        """Say how far the stage is; ``details`` are fields of ``core.progress.Reading``."""
        ...

    def run_child(
        self,
        program: str,
        request: Mapping[str, object],
        on_line: Callable[[dict[str, Any]], None],
        *,
        timeout_s: float,
        stall_s: float | None = None,
        may_finish: bool = False,
    ) -> dict[str, Any]:
        """Run a program of ours in a supervised child process and wait for its result.

        Args:
            program: module whose ``main(request)`` the child runs.
            request: its input, as JSON.
            on_line: called with every line it prints before its result.
            timeout_s: the whole child's time.
            stall_s: longest time between two lines.
            may_finish: whether it has a while to finish when the daemon is asked to stop; otherwise it ends at once.

        Raises:
            StageFailed: the failure the child named.
            ChildTimeout: it went over its time.
            ChildDied: it ended without a result.
        """
        ...

    def beside(self, stage: Stage, work: Callable[[StageContext], object]) -> AbstractContextManager[None]:
        """Do a part of another stage in a thread of its own while the block runs, and wait for it at the block's end.

        Whichever of the two fails ends the other. What goes wrong with the work is a failure of its own stage.

        Args:
            stage: the stage that the work is a part of.
            work: is given a context of its own.
        """
        ...

    def recognize(self, request: Recognition, on_segments: OnSegments) -> Recognized:
        """Have the device's engine transcribe."""
        ...

    def checkpoint(self, segments: Sequence[Segment], language: str) -> None:
        """Store segments that are final; a restart goes on after the last of them, in the same language."""
        ...

    def segments(self) -> tuple[Segment, ...]:
        """The segments stored so far, in order."""
        ...

    def ask_llm(self, questions: Sequence[Question], on_reply: Callable[[], None] = lambda: None) -> list[Reply]:
        """Ask several questions side by side; returns the replies in the order of the questions.

        A reply is stored as it comes: the same question of the same task, asked again after a restart, has it at once.

        Args:
            questions: each complete in itself.
            on_reply: called on the loop as each reply comes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recognized:
    """What the engine says at the end: the language it heard, and what it used."""

    language: str
    model: str
    device: str
    is_short: bool = False
    """Whether the device was short of memory, so that batches or numbers are smaller than usual."""


class DeviceProbe(Protocol):
    """Looks at devices. What cannot be read has a ``fault``; nothing is raised."""

    def read(self, pids: Mapping[str, int]) -> list[Reading]:
        """Look at every device, in a thread; ``pids`` are our processes on them."""
        ...


class StageWork(Protocol):
    """One stage: a function from what is known to a little more."""

    @property
    def name(self) -> Stage: ...
    @property
    def lane(self) -> Lane: ...
    @property
    def makes(self) -> str:
        """The field of ``Artifacts`` this stage fills."""
        ...

    @property
    def weight(self) -> float:
        """Its share of the whole way, for the overall percent."""
        ...

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        """Make the product.

        Raises:
            StageFailed: it cannot be made.
        """
        ...


class ChildTimeout(Exception):
    """A child went over its time; ``stalled`` says it was silent rather than slow."""

    def __init__(self, *, stalled: bool) -> None:
        """Say which of the two limits it was."""
        super().__init__("stalled" if stalled else "too slow")
        self.stalled = stalled


class ChildDied(Exception):
    """A child ended without a result; ``last_words`` is the end of what it wrote to stderr."""

    def __init__(self, status: int | None, last_words: str) -> None:
        """Keep how it ended: exit status, negative for a signal."""
        super().__init__(f"status {status}: {last_words}")
        self.status = status
        self.last_words = last_words


# ---------------------------------------------------------------------------------------------
# Channels
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel has it."""


@dataclass(frozen=True, slots=True)
class TryLater:
    """A known refusal that passes, or nothing was sent: the same bytes may go out again after a wait."""

    wait_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A permanent refusal of this message alone."""

    why: str


@dataclass(frozen=True, slots=True)
class RobotGone:
    """A permanent refusal of everything: the robot was removed or disabled."""

    why: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Writing began and no answer can be trusted: it may or may not have arrived."""

    why: str


Receipt = Sent | TryLater | Refused | RobotGone | InDoubt


class Channel(Protocol):
    """A way to a reader. It only sends what the outbox hands it, one message at a time."""

    @property
    def address(self) -> str | None:
        """Names where messages go, without its secret; all that write there keep one pace. None: nobody counts."""
        ...

    async def send(self, message: Message) -> Receipt: ...
    async def close(self) -> None: ...
