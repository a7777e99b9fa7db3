"""``doctor``: what works on this machine and what does not, each with its cure."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from pipeline.cli import (
    FAILED,
    FINE,
    _check_downloads as downloads,
    _check_machine as machine,
    _check_services as services,
)
from pipeline.cli._finding import Finding, Severity, error
from pipeline.cli.commands import LoadSettings
from pipeline.config import Settings, secrets_of
from pipeline.log import set_up_for_command
from pipeline.redaction import hide, presentable, printable, redact

CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    services.check_config,
    machine.check_python,
    machine.check_disk,
    machine.check_folders,
    machine.check_port,
    machine.check_gpu,
    services.check_models,
    downloads.check_yt_dlp,
    downloads.check_javascript,
    downloads.check_cookies,
    services.check_llm,
    services.check_robots,
)

_COLORS = {Severity.FINE: "\x1b[32m", Severity.WARNING: "\x1b[33m", Severity.ERROR: "\x1b[31m"}
_PLAIN = "\x1b[0m"
_EXAMPLES = """\
examples:
  run_daemon.py doctor         look at everything; what is not fine is shown with its cure
  run_daemon.py doctor --json  the same for programs: {"fine": …, "findings": [{"name", "severity", …}]}

The exit code is 1 if anything is an error, 0 otherwise. Nothing is changed, sent or downloaded."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Look at everything; returns the exit code."""
    set_up_for_command()
    settings = load()
    for secret in secrets_of(settings):
        hide(secret)
    found = (finding for check in CHECKS for finding in _guarded(check, settings))
    if arguments.json:
        findings = list(found)
        print(
            json.dumps(
                {"fine": _all_fine(findings), "findings": presentable([*map(asdict, findings)])},
                ensure_ascii=False,
                indent=2,
            )
        )
    else:
        findings = [_show(finding) for finding in found]
    return FINE if _all_fine(findings) else FAILED


def _guarded(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """Let a check that fails itself be a finding, so that the others are still told."""
    try:
        yield from check(settings)
    except Exception as unexpected:  # noqa: BLE001 - whatever a strange machine may raise
        said = f"{check.__name__}: {type(unexpected).__name__}: {unexpected}"
        report = "Please report this line.", "请将此行反馈给我们。"
        yield error("doctor", (said, ""), report)


def _all_fine(findings: list[Finding]) -> bool:
    return all(finding.severity is not Severity.ERROR for finding in findings)


def _show(finding: Finding) -> Finding:
    """Print a finding as soon as it is there, for some take their time."""
    severity = f"{finding.severity:<8}"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        severity = f"{_COLORS[finding.severity]}{severity}{_PLAIN}"
    message = " / ".join(filter(None, [finding.message, finding.message_zh]))
    print(f"{severity} {finding.name:<11} {printable(redact(message))}")
    for cure in filter(None, [finding.cure, finding.cure_zh]):
        print(f"{'':<20} → {printable(redact(cure))}", flush=True)
    return finding
