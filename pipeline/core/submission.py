"""What a caller asks for, and when two tasks are the same work."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields

from pipeline.core.task import Notify, Options, Priority, Script, Task
from pipeline.core.uploads import Upload

_THE_WORK = tuple(option.name for option in fields(Options) if option.name not in {"title", "author", "description"})
"""Options that change the text or its delivery; the others only name the work."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller asked for; None leaves the choice to the configuration."""

    url: str
    """The address, or a shared text with the address in it; of an upload the name its sender gave it."""
    param: str = "url"
    """What the request calls the address."""
    download_url: str | None = None
    """Where the media lies, if the address does not lead to it."""
    upload: Upload | None = None
    """The file, if it came with the request."""
    language: str | None = None
    model: str | None = None
    hotwords: str | None = None
    prompt: str | None = None
    sequential: bool = False
    word_times: bool = False
    proofread: bool = True
    summarize: bool = True
    script: Script | None = None
    priority: Priority = Priority.NORMAL
    robot: str | None = None
    """Name of the one robot that is to get the messages."""
    notify: Notify | None = None
    title: str | None = None
    author: str | None = None
    description: str | None = None
    client_ref: str | None = None
    force: bool = False
    """Do the work again although it is there."""


def work_key(task: Task) -> str:
    """The name of the work: equal for the same owner, address and options that change text or delivery."""
    options = {name: getattr(task.options, name) for name in _THE_WORK}
    said = json.dumps([task.owner, task.source.canonical, options], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
