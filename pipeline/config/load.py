"""Put the settings together: command line over environment over file over defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_origin

from pipeline.config.checks import exposure
from pipeline.config.file import read_config_file
from pipeline.config.judge import judge
from pipeline.config.problems import nearest
from pipeline.config.schema import key_names
from pipeline.config.settings import SECRET_KEYS, Settings
from pipeline.config.values import kept_elsewhere
from pipeline.errors import ConfigInvalid
from pipeline.redaction import printable

_PREFIX = "TRANSCRIBED_"
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_NOTHING: Mapping[str, object] = {}
_KEYS_OF_EXPOSURE = ("api.host", "api.auth_token", "storage.dir")


def load_settings(
    path: Path | None,
    *,
    overrides: Mapping[str, object] = _NOTHING,
    environ: Mapping[str, str] = os.environ,
    all_secrets: bool = True,
    has_made_tokens: Callable[[Path], bool] | None = None,
) -> Settings:
    """Read the settings from everywhere they may come from.

    Args:
        path: the configuration file; None: there is none.
        overrides: dotted names and values from the command line, such as ``{"api.port": 0}``.
        environ: environment variables; those named ``TRANSCRIBED_SECTION__KEY`` are settings.
        all_secrets: whether a secret that is not where its key says is a mistake. Otherwise it is left out: a command
            beside the daemon need not have the daemon's environment, nor read its files.
        has_made_tokens: tells whether ``token new`` has made any in a data folder, for who is going to listen and must
            not be open to other machines without one.

    Raises:
        ConfigInvalid: with everything that is wrong, not only the first.
    """
    tree, problems, unread = _file_tree(path)
    named, strangers = _named_in(environ)
    problems += strangers
    for key, (_, text) in named.items():
        _put(tree, key, _from_text(key, text))
    for key, value in overrides.items():
        _put(tree, key, value)
    if not all_secrets:
        _leave_out_absent_secrets(tree, environ)

    def source_of(key: str) -> str:
        if key in overrides:
            return "command line"
        if key in named:
            return named[key][0]
        return str(path) if path else "environment or command line"

    judged = judge(tree, environ, source_of, unread - named.keys() - overrides.keys())
    problems += judged.mistakes
    if has_made_tokens is not None and judged.unsure.isdisjoint(_KEYS_OF_EXPOSURE):
        problems += exposure(judged.settings, has_made_tokens)
    if problems:
        raise ConfigInvalid(problems)
    return judged.settings


def _file_tree(path: Path | None) -> tuple[dict[str, Any], list[str], set[str]]:
    """Read the file; returns also what is wrong with it, and the keys that it may set without our knowing it."""
    if path is None:
        return {}, [], set()
    try:
        tree, problems = read_config_file(path, {word for key in key_names() for word in key.split(".")})
    except ConfigInvalid as error:
        return {}, list(error.problems), set(key_names())
    return tree, problems, set()


def _named_in(environ: Mapping[str, str]) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Find the settings among the environment variables.

    Returns:
        Variable and text by dotted name; a problem for each variable that looks like a setting but is none.
    """
    known = {f"{_PREFIX}{key.replace('.', '__').upper()}": key for key in key_names()}
    named, strangers = {}, []
    for variable, text in environ.items():
        if variable in known:
            named[known[variable]] = (variable, text)
        elif variable.startswith(_PREFIX) and "__" in variable:
            near = nearest(variable, known)
            strangers.append(
                f"{printable(variable)}: unknown environment variable; the nearest known one is {near}"
                f" · 未知的环境变量，最接近的是 {near}"
            )
    return named, strangers


def _from_text(key: str, text: str) -> object:
    """Read an environment variable as its setting needs it: plain text, or JSON for everything else."""
    section, _, name = key.partition(".")
    annotation = type(getattr(Settings(), section)).model_fields[name].annotation
    if annotation in {str, Path} or get_origin(annotation) is Literal:
        return text
    if annotation is bool:
        return _BOOLEANS.get(text.strip().lower(), text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    # A secret of digits is text all the same; only a list or an object is meant as JSON.
    return text if key in SECRET_KEYS and not isinstance(value, list | dict) else value


def _put(tree: dict[str, Any], key: str, value: object) -> None:
    section, _, name = key.partition(".")
    branch = tree.setdefault(section, {})
    if isinstance(branch, dict):  # otherwise the file's own mistake is reported
        branch[name] = value


def _leave_out_absent_secrets(tree: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Treat a secret that is not where its key says as if the key, or the item of its list, were not there."""

    def is_there(value: object) -> bool:
        kept = kept_elsewhere(value.get("url", value) if isinstance(value, dict) else value, environ)
        return kept is None or bool(kept.secret)

    for key in SECRET_KEYS:
        section, _, name = key.partition(".")
        branch = tree.get(section)
        if not isinstance(branch, dict) or name not in branch:
            continue
        if isinstance(branch[name], list):
            branch[name] = [item for item in branch[name] if is_there(item)]
        elif not is_there(branch[name]):
            del branch[name]
