"""The files in ``deploy/`` fit the daemon and one another."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.commands import parse
from pipeline.config import Settings, load_settings
from tests.docs.pages import ROOT, page

INSTALLED = "/opt/transcribed"
STOPS_WITHIN_S = 25
KEYS = {
    f"TRANSCRIBED_{section}__{key}".upper()
    for section, field in Settings.model_fields.items()
    for key in type(field.default).model_fields
}
"""Every key as an environment variable."""


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(page("deploy/transcribed.service"))
    return parser


def composed(name: str) -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load(page(f"deploy/{name}"))["services"]["transcribed"]
    return service


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments of each step of the Dockerfile."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", page("deploy/Dockerfile"), flags=re.MULTILINE))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


# ---------------------------------------------------------------------------------------------
# systemd
# ---------------------------------------------------------------------------------------------


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Installed where this repository is, systemd-analyze finds nothing wrong with the unit."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    file = tmp_path / "transcribed.service"
    file.write_text(page("deploy/transcribed.service").replace(INSTALLED, str(ROOT)))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)  # noqa: S607 - the system's own
    assert (0, "") == (done.returncode, done.stderr)


def test_unit_starts_the_daemon_with_its_configuration() -> None:
    """The command line is one that the daemon knows, and systemd waits as long as a stop may take."""
    service = unit()["Service"]
    python, program, *arguments = shlex.split(service["ExecStart"])
    assert (f"{INSTALLED}/.venv/bin/python", "run_daemon.py") == (python, program)
    assert (None, Path("/etc/transcribed/config.json")) == (parse(arguments).command, parse(arguments).config)
    assert int(service["TimeoutStopSec"]) > STOPS_WITHIN_S
    assert ("notify", "2 3") == (service["Type"], service["RestartPreventExitStatus"])
    assert ("on-failure", "60") == (service["Restart"], service["WatchdogSec"])


def test_configuration_of_the_service_keeps_to_its_folders() -> None:
    """Data and log lie in the state folder of the unit, the only place it may write beside its cache."""
    settings = load_settings(ROOT / "deploy/config.json", environ={})
    state = Path("/var/lib") / unit()["Service"]["StateDirectory"]
    assert state == settings.storage.dir
    assert settings.log.file.is_relative_to(state)
    assert page("deploy/logrotate").count(f"\n{settings.log.file} {{\n") == 1


# ---------------------------------------------------------------------------------------------
# Containers
# ---------------------------------------------------------------------------------------------


def test_container_gets_all_it_needs() -> None:
    """Every folder that is copied is there and let through; the product's folders and files are all copied."""
    copied = [word for name, rest in instructions() if name == "COPY" for word in rest.split()[:-1]]
    let_through = set(re.findall(r"^!(.+)$", page("deploy/Dockerfile.dockerignore"), re.MULTILINE))
    assert {"run_daemon.py", "daemon.py", "pipeline", "stages", "models", "requirements/run.txt"} == set(copied)
    assert let_through == {name.partition("/")[0] for name in copied}
    assert [] == [name for name in copied if not (ROOT / name).exists()]


def test_container_runs_as_nobody_special() -> None:
    """It is no root, its command is one the daemon knows, and its health is asked at the port it shows."""
    steps = dict(instructions())
    assert "transcribed" == steps["USER"]
    assert '["python", "run_daemon.py"]' == steps["ENTRYPOINT"]
    assert "serve" == parse(["serve"]).command
    assert '["serve"]' == steps["CMD"]
    assert str(Settings().api.port) == steps["EXPOSE"]
    assert f"127.0.0.1:{Settings().api.port}/livez" in steps["HEALTHCHECK"]


def test_variables_are_settings() -> None:
    """Every variable of the container that looks like a setting is one; together they make a valid configuration."""
    environment = dict(pair.split("=", 1) for pair in dict(instructions())["ENV"].split())
    environment |= {name: "a-long-token" for name in composed("compose.yaml")["environment"] if name.endswith("TOKEN")}
    environment |= {name: "" for name in composed("compose.yaml")["environment"] if name.endswith("WEBHOOK")}
    assert set(composed("compose.yaml")["environment"]) <= environment.keys()
    given = {name for name in environment if name.startswith("TRANSCRIBED_")}
    assert given <= KEYS
    settings = load_settings(None, environ={name: environment[name] for name in given})
    assert ("0.0.0.0", Path("/data")) == (settings.api.host, settings.storage.dir)


def test_compose_files_fit_the_dockerfile() -> None:
    """They build from this repository, mount the volume of the image, and wait as long as a stop may take."""
    service = composed("compose.yaml")
    assert "deploy/Dockerfile" == service["build"]["dockerfile"]
    assert ROOT == Path(os.path.normpath(ROOT / "deploy" / service["build"]["context"]))
    assert [f"data:{dict(instructions())['VOLUME']}"] == service["volumes"]
    assert int(service["stop_grace_period"].removesuffix("s")) > STOPS_WITHIN_S
    assert service["read_only"]
    (argument,) = composed("compose.gpu.yaml")["build"]["args"]
    assert f'{argument}=""' in [rest for name, rest in instructions() if name == "ARG"]
