"""Starts that cannot work: each ends with its own exit code, says why, and leaves everything as it was."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import __version__
from tests.acceptance.commands import DATA_FOLDER, FAILED, FINE, USAGE, run_daemon
from tests.acceptance.conftest import Start
from tests.daemon import Client


def config(folder: Path, **sections: dict[str, Any]) -> Path:
    """Write a configuration whose data folder lies beside it."""
    file = folder / "config.json"
    data = folder / "data"
    api = {"port": 0} | sections.pop("api", {})
    sections = {"api": api, "storage": {"dir": str(data)}, "log": {"file": str(data / "log.jsonl")}} | sections
    file.write_text(json.dumps(sections), encoding="utf-8")
    return file


async def test_a_second_daemon_on_the_same_folder_names_the_first(start: Start) -> None:
    """It ends with 3 and says who holds the folder, since when and where it answers; the first goes on as before."""
    first = start()
    announced = (first.data / "daemon.json").read_bytes()
    second = run_daemon("--config", first.config)
    assert DATA_FOLDER == second.returncode
    today = datetime.now(UTC).date().isoformat()
    assert f"process {first.pid}, since {today}" in second.stderr
    assert f"at {first.url}" in second.stderr
    assert "Traceback" not in second.stderr
    assert announced == (first.data / "daemon.json").read_bytes()
    async with Client(first) as client:
        assert 200 == (await client.get("/livez"))[0]


def test_a_damaged_database_is_named_and_left_alone(tmp_path: Path) -> None:
    """It ends with 3, and the file is what it was, byte for byte."""
    (tmp_path / "data").mkdir()
    database = tmp_path / "data" / "transcribed.db"
    database.write_bytes(damaged := b"SQLite format 3\0" + b"not a database any more " * 400)
    start = run_daemon("--config", config(tmp_path))
    assert DATA_FOLDER == start.returncode
    assert str(database) in start.stderr
    assert "Traceback" not in start.stderr
    assert damaged == database.read_bytes()


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"concurrent": {"max_worker": 3}}, "concurrent.max_worker"),
        ({"concurrent": {"max_workers": "three"}}, "concurrent.max_workers"),
        ({"api": {"host": "0.0.0.0"}}, "api.auth_token"),
        ({"log": {"file": "/proc/daemon.jsonl"}}, "log.file"),
    ],
    ids=["unknown key", "wrong value", "open to the network without a token", "no log"],
)
def test_a_configuration_that_cannot_be_is_refused_by_key(tmp_path: Path, sections: dict[str, Any], named: str) -> None:
    """It ends with 2 and names the key, without a traceback, and makes no data folder."""
    start = run_daemon("--config", config(tmp_path, **sections))
    assert USAGE == start.returncode
    assert named in start.stderr
    assert "Traceback" not in start.stderr
    assert not (tmp_path / "data" / "transcribed.db").exists()


def test_a_port_in_use_is_a_configuration_error(tmp_path: Path) -> None:
    """It ends with 2 and names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        start = run_daemon("--config", config(tmp_path), "--port", str(port))
    assert USAGE == start.returncode
    assert "api.port" in start.stderr
    assert str(port) in start.stderr
    assert "Traceback" not in start.stderr
    assert not (tmp_path / "data" / "daemon.json").exists()


def test_check_config_tells_good_from_bad(tmp_path: Path) -> None:
    """It says that a good file is fine, names every error of a bad one at once, and starts nothing."""
    good = run_daemon("--config", config(tmp_path), "--check-config")
    assert (FINE, "") == (good.returncode, good.stderr)
    mistakes = {"api": {"host": "0.0.0.0"}, "transcribe": {"device": "tpu"}, "wechat": {"per_minute": 0}}
    bad = run_daemon("serve", "--check-config", "--config", config(tmp_path, **mistakes))
    assert USAGE == bad.returncode
    assert ["transcribe.device", "wechat.per_minute", "api.host"] == [
        line.partition(" ")[0] for line in bad.stderr.splitlines()
    ]
    assert "api.auth_token" in bad.stderr
    elsewhere = run_daemon("--config", config(tmp_path, transcribe={"device": "cuda:98"}), "--check-config")
    assert (USAGE, True) == (elsewhere.returncode, "transcribe.device" in elsewhere.stderr)
    assert not (tmp_path / "data").exists()


def test_only_a_configuration_that_is_named_must_be_there(tmp_path: Path) -> None:
    """In a folder without config.json everything has its default, and that is said; one that is named is missed.

    A command that finds no daemon says where it has looked.
    """
    absent = run_daemon("--check-config", folder=tmp_path)
    assert (FINE, True) == (absent.returncode, "no config.json here" in absent.stderr)
    nobody = run_daemon("watch", "some-task", folder=tmp_path)
    assert (FAILED, True) == (nobody.returncode, f"{tmp_path}/data/daemon.json is not there" in nobody.stderr)
    (tmp_path / "config.json").write_text('{"api": {"prot": 1}}', encoding="utf-8")
    there = run_daemon("--check-config", folder=tmp_path)
    assert (USAGE, True) == (there.returncode, "api.prot" in there.stderr)
    named = run_daemon("--check-config", "--config", "other.json", folder=tmp_path)
    assert (USAGE, True) == (named.returncode, "other.json: there is no such file" in named.stderr)


def test_the_schema_and_the_version_are_printed() -> None:
    """The schema is JSON and knows the sections; the version is the package's."""
    schema = run_daemon("serve", "--print-schema")
    assert FINE == schema.returncode
    assert {"api", "concurrent", "download", "transcribe", "wechat", "storage"} <= set(
        json.loads(schema.stdout)["properties"]
    )
    assert f"transcribed {__version__}\n" == run_daemon("--version").stdout
