"""Write the parts of the documentation that are made from the code.

``python -m tools.make_docs`` writes them; with ``--check`` it only says which are not current and exits with 1.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.cli import DATA_FOLDER, USAGE
from pipeline.config import LIVE, NOT_IN_EFFECT, Settings, described, node_at, schema
from pipeline.core.lifecycle import DOUBTED, HELD, MEANING, REFUSED, TRANSITIONS
from pipeline.core.task import Status
from pipeline.errors import ConfigInvalid, DataFolderUnusable, TranscribedError
from pipeline.failures import ENDLESS, StageFailed, stage_failures
from pipeline.llm_failures import LlmFailed
from pipeline.refusals import Refusal
from stages.proofread import FALLBACK as TEXT_FALLBACK
from stages.summarize import FALLBACK as SUMMARY_FALLBACK
from stages.transcribe import NO_SPEECH, SHORT

ROOT = Path(__file__).resolve().parent.parent

_INTRODUCTION = """\
<!-- Made by tools/make_docs.py from pipeline/config/settings.py; do not edit. -->

# Configuration

The daemon reads `config.json` in the folder it is started in, or the file named by `--config`: JSON in UTF-8 that may
hold `//` comments. Everything has a default, so `{}` is a complete file, and `config.json` may be missing; a file that
is named must be there. Keys are written here with their section, as in `api.port`; in the file a section is an object:
`{"api": {"port": 8000}}`.

- **Order of strength**: command line, environment, file, default.
- **Environment**: `TRANSCRIBED_SECTION__KEY`, as in `TRANSCRIBED_API__PORT=9000`; lists as JSON, as in
  `TRANSCRIBED_DOWNLOAD__ALLOW_HOSTS='["10.0.0.0/8"]'`.
- **Secrets** can be kept elsewhere: `{"env": "NAME"}` takes an environment variable, `{"file": "PATH"}` a file.
  Relative paths start from the working directory.
- **Mistakes**, an unknown key among them, stop the start with exit code 2, and all are named at once.
  `python run_daemon.py --check-config` only looks for them.
- **Editors** complete and check the file by `"$schema": "./docs/config.schema.json"`.

Keys marked ↻ take effect when the daemon gets SIGHUP (`kill -HUP`, `systemctl reload`): it reads the configuration
again and, if all of it is valid, puts these into force; the log names those that changed and those that need a restart.
If anything is wrong with it, the log names every mistake and nothing changes.

Keys marked ° are taken but not in effect yet: what they set is not built. The daemon names those that
are set when it starts.
"""


def configuration_schema() -> str:
    """Make the JSON Schema of the configuration file."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def configuration_reference() -> str:
    """Make the table of all keys, section by section."""
    parts = [_INTRODUCTION]
    for section, field in Settings.model_fields.items():
        summary = (type(field.default).__doc__ or "").strip()
        parts.append(f"\n## `{section}`\n\n{summary}\n\n| key | default | value | meaning |\n|---|---|---|---|\n")
        parts += [_row(section, key) for key in type(field.default).model_fields]
    return "".join(parts)


def _row(section: str, key: str) -> str:
    node = node_at((section, key))
    dotted = f"{section}.{key}"
    mark = "°" if dotted in NOT_IN_EFFECT else " ↻" if dotted in LIVE else ""
    default = json.dumps(node["default"], ensure_ascii=False)
    value, _ = described(node)
    return f"| `{section}.{key}`{mark} | `{default}` | {value} | {node['description']} |\n"


# ---------------------------------------------------------------------------------------------
# Lifecycle
# ---------------------------------------------------------------------------------------------

_LIFECYCLE = """\
<!-- Made by tools/make_docs.py from pipeline/core/lifecycle.py; do not edit. -->

# Lifecycle of a task

Where a task stands is its status. A status changes only by a row of the table below, `TRANSITIONS` in
`pipeline/core/lifecycle.py`, and every change has a cause: the log names both in one line. The store makes a change
only if the task still has the status that the change starts from, so of two that meet one wins.
What a task is doing, its stage, is something else; see the [glossary](glossary.md).

```mermaid
stateDiagram-v2
"""


def lifecycle() -> str:
    """Draw the state machine and tell every change with its cause."""
    final = [status for status in Status if status.final]
    unreached = [status for status in Status if status not in {Status.PENDING, *TRANSITIONS.values()}]
    return "".join((
        _LIFECYCLE,
        *(f"    {line}\n" for line in _diagram()),
        "```\n\n| status | cause | next status | when |\n|---|---|---|---|\n",
        *(f"| `{was}` | {cause} | `{then}` | {MEANING[cause]} |\n" for (was, cause), then in TRANSITIONS.items()),
        f"\nFrom {_listed(final)} nothing happens by itself: they are final.\n",
        f"No row leads to {_listed(unreached)} yet; programs should know the name all the same.\n" if unreached else "",
    ))  # fmt: skip


def _diagram() -> Iterator[str]:
    """One line for each pair of statuses, with all causes between them."""
    arrows: dict[tuple[Status, Status], list[str]] = {}
    for (was, cause), then in TRANSITIONS.items():
        arrows.setdefault((was, then), []).append(cause)
    yield f"[*] --> {Status.PENDING}"
    for (was, then), causes in arrows.items():
        yield f"{was} --> {then}: {', '.join(causes)}"
    yield from (f"{status} --> [*]" for status in dict.fromkeys(TRANSITIONS.values()) if status.final)


def _listed(statuses: Sequence[Status]) -> str:
    return ", ".join(f"`{status}`" for status in statuses)


# ---------------------------------------------------------------------------------------------
# Errors
# ---------------------------------------------------------------------------------------------

_ERRORS = """\
<!-- Made by tools/make_docs.py from pipeline/errors.py and what it names; do not edit. -->

# Errors

Every error has a type, a name that stays the same and that programs can rely on, and says in English and in
Chinese what happened. What is particular about one case, such as the size of a file that is too large, stands behind
it in parentheses.

## The daemon does not start

| type | exit code | meaning |
|---|---|---|
"""

_REFUSALS = """
## A request is refused

Nothing was stored. The answer has the HTTP status, and `error.type` in its body; `error.param` names the field
at fault, `error.retry_after` the seconds after which the same request may succeed.

| type | status | meaning |
|---|---|---|
"""

_FAILURES = """
## A task fails

The type stands at `error.type` of the task's state, what to do at `error.hint`. A fault that may pass is tried again
by itself after a growing delay: so often as is said here, but never more often than `scheduler.max_retries`.
"""

_WARNINGS = """
## A task is completed with a warning

A text stage without an answer of the LLM goes on without it; then a warning of the second table says why, and the
state of the layer is `partial` or `failed`.

| type | meaning |
|---|---|
"""

_LLM_WARNINGS = """
| type | meaning | what to do |
|---|---|---|
"""


_WARNED = (NO_SPEECH, SHORT, HELD, REFUSED, DOUBTED, TEXT_FALLBACK, SUMMARY_FALLBACK)


def errors() -> str:
    """Tell every error with its meaning in both languages and what to do about it."""
    starts = ((ConfigInvalid, USAGE), (DataFolderUnusable, DATA_FOLDER))
    return "".join((
        _ERRORS,
        *(f"| `{error.type}` | {code} | {_meaning(error)} |\n" for error, code in starts),
        _REFUSALS,
        *(f"| `{error.type}` | {error.status} | {_meaning(error)} |\n" for error in _leaves(Refusal)),
        _FAILURES,
        *map(_failure, stage_failures().values()),
        _WARNINGS,
        *(f"| `{each.type}` | {each.message} {each.message_zh} |\n" for each in _WARNED),
        _LLM_WARNINGS,
        *(f"| `{error.type}` | {_meaning(error)} | {error.hint()} |\n" for error in LlmFailed.__subclasses__()),
    ))  # fmt: skip


def _leaves(error: type[Refusal]) -> Iterator[type[Refusal]]:
    """The errors of a branch that are raised, not those that only gather others."""
    for branch in error.__subclasses__():
        yield from _leaves(branch) if branch.__subclasses__() else (branch,)


def _meaning(error: type[TranscribedError]) -> str:
    both = f"{inspect.cleandoc(error.__doc__ or '')} {error.message_zh}"
    return both.replace("<", r"\<")  # or a reader of Markdown would take it for a tag


def _failure(error: type[StageFailed]) -> str:
    return (
        f"\n### `{error.type}`\n\n{_meaning(error)}\n\n"
        f"- What to do: {error.cure[0]} {error.cure[1]}\n- {_what_follows(error)}\n"
    )


def _what_follows(error: type[StageFailed]) -> str:
    if error.retries == ENDLESS:
        return "Tried again until it has passed, at no cost to the task's attempts."
    tried = f"Tried again up to {error.retries} times." if error.retries > 1 else "Tried again once."
    again = tried if error.retries else "Not tried again by itself."
    return f"{again} Ends as `{Status.TIMEOUT if error.times_out else Status.FAILED}`."


DOCUMENTS = {
    "docs/config.schema.json": configuration_schema,
    "docs/configuration.md": configuration_reference,
    "docs/errors.md": errors,
    "docs/lifecycle.md": lifecycle,
}


def main() -> int:
    """Write or check every document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a document is not current")
    check = parser.parse_args().check
    stale = [name for name, make in DOCUMENTS.items() if not _is_current(ROOT / name, make())]
    for name in stale:
        print(f"{name}: {'not current, run python -m tools.make_docs' if check else 'written'}")
        if not check:
            (ROOT / name).write_text(DOCUMENTS[name](), encoding="utf-8")
    return int(check and bool(stale))


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
