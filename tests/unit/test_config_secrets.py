"""Secrets in the configuration: where they may be kept, and that nothing shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.config import RobotSettings, load_settings, secrets_of
from pipeline.errors import ConfigInvalid
from tests.unit.configuration import NO_ENVIRONMENT, problems_of

SECRET = "planted-secret-3"
WITH_SECRETS = {
    "api": {"auth_token": SECRET},
    "download": {"proxy": f"http://u:{SECRET}@proxy"},
    "llm": {"api_key": SECRET},
    "notify": {"channels": [f"tgram://{SECRET}"], "callback_secret": SECRET},
    "wechat": {"webhook": f"https://qyapi.example/send?key={SECRET}"},
}


def test_secrets_are_not_shown(written: Callable[[str], Path]) -> None:
    """Neither the text of the settings nor their dump holds a secret."""
    settings = load_settings(written(json.dumps(WITH_SECRETS)), environ=NO_ENVIRONMENT)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_secrets_can_be_listed(written: Callable[[str], Path]) -> None:
    """Every secret the settings hold is given, so that the log can hide it."""
    settings = load_settings(written(json.dumps(WITH_SECRETS)), environ=NO_ENVIRONMENT)
    assert {
        SECRET,
        f"http://u:{SECRET}@proxy",
        f"tgram://{SECRET}",
        f"https://qyapi.example/send?key={SECRET}",
    } == set(secrets_of(settings))


def test_problems_show_no_secret(written: Callable[[str], Path]) -> None:
    """A secret that is refused, or stands where it does not belong, is masked."""
    tree = {
        "api": {"auth_token": [f"{SECRET} with space"]},
        "llm": SECRET,
        "notify": {"callback_secret": [SECRET], "secret": SECRET},
        "wechat": {"webhook": f"ftp://{SECRET}"},
        "web": {"base_url": f"https://u:{SECRET}@x"},
    }
    problems = problems_of(written(json.dumps(tree)))
    assert len(problems) == 6
    assert SECRET not in "".join(problems)


def test_secrets_can_be_kept_elsewhere(written: Callable[[str], Path], tmp_path: Path) -> None:
    """A secret may stand in an environment variable or in a file of its own, in a list too."""
    kept = tmp_path / "key"
    kept.write_text("in-a-file-01\n")
    tree = {
        "api": {"auth_token": [{"env": "MY_TOKEN"}, "as-it-stands"]},
        "llm": {"api_key": {"file": str(kept)}},
        "wechat": {"webhook": {"env": "MY_ROBOT"}},
    }
    environ = {"MY_TOKEN": "in-a-variable", "MY_ROBOT": "https://x.example/?key=1"}
    settings = load_settings(written(json.dumps(tree)), environ=environ)
    assert (SecretStr("in-a-variable"), SecretStr("as-it-stands")) == settings.api.tokens
    assert SecretStr("in-a-file-01") == settings.llm.api_key
    assert (RobotSettings(name="default", url="https://x.example/?key=1"),) == settings.wechat.robots


@pytest.mark.parametrize("place", [{"env": "ABSENT"}, {"env": "EMPTY"}, {"file": "/absent/key"}])
def test_secrets_that_are_not_there_are_mistakes(place: dict[str, str], written: Callable[[str], Path]) -> None:
    """A variable or file that is missing or empty is named; it does not count as no secret."""
    (problem,) = problems_of(written(json.dumps({"api": {"auth_token": place}})), {"EMPTY": ""})
    assert problem.startswith("api.auth_token = ")
    assert next(iter(place.values())) in problem


def test_a_command_beside_the_daemon_needs_none_of_its_secrets(written: Callable[[str], Path]) -> None:
    """Where secrets are not asked for, those that are not there count as not set; the others and all mistakes stay."""
    absent, there = {"env": "ABSENT"}, {"env": "MY_TOKEN"}
    robots = [{"name": "team", "url": absent}, {"name": "family", "url": "https://x.example/?key=1"}]
    path = written(json.dumps({
        "api": {"auth_token": [absent, there]},
        "llm": {"api_key": {"file": "/absent/key"}},
        "wechat": {"webhook": robots},
    }))  # fmt: skip
    environ = {"MY_TOKEN": "in-a-variable"}
    settings = load_settings(path, environ=environ, all_secrets=False)
    assert (SecretStr("in-a-variable"),) == settings.api.tokens
    assert SecretStr("") == settings.llm.api_key
    assert ["family"] == [robot.name for robot in settings.wechat.robots]
    assert 3 == len(problems_of(path, environ))
    mistyped = {**environ, "TRANSCRIBED_WECHAT__WEBHOOK": '{"evn": "ABSENT"}'}
    with pytest.raises(ConfigInvalid, match=r"wechat\.webhook"):
        load_settings(path, environ=mistyped, all_secrets=False)
