"""Checks of the doctor that ask others."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli._check_downloads import check_cookies, check_javascript
from pipeline.cli._check_machine import check_port
from pipeline.cli._check_services import check_llm
from pipeline.config import Settings
from tests.fakes.server import running
from tests.fakes.site import Reply, Site


@pytest.mark.parametrize(
    ("reply", "severity"),
    [
        (Reply(body=b'{"data": [{"id": "big"}, {"id": "small"}]}'), "fine"),
        (Reply(body=b'{"data": [{"id": "small"}]}'), "warning"),
        (Reply(body=b"[]"), "fine"),
        (Reply(body=b"<html>"), "error"),
        (Reply(status=401), "error"),
        (Reply(status=404), "fine"),
        (Reply(status=500), "warning"),
        (Reply(body=b"{}", cut_after=1), "error"),
    ],
)
def test_the_answer_of_the_llm_decides(monkeypatch: pytest.MonkeyPatch, reply: Reply, severity: str) -> None:
    """A wrong key or no API is an error, an unlisted model a warning; not all can list their models.

    What runs on this machine is asked directly, whatever proxy the environment names for others.
    """
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with running(Site()) as site:
        site.serve("/v1/models", reply)
        settings = Settings.model_validate(
            {"llm": {"base_url": f"{site.url}/v1/", "api_key": "the-key", "model": "big"}}
        )
        (finding,) = check_llm(settings)
        assert severity == finding.severity
        assert ["Bearer the-key"] == [visit.headers["Authorization"] for visit in site.requests]
    assert (severity == "fine") == (finding.cure == "")


@pytest.mark.parametrize(
    ("runtimes", "severity", "told"),
    [
        (["deno", "node"], "fine", "deno 2.3.1"),
        (["node", "deno"], "fine", "deno 2.3.1"),
        (["quickjs"], "fine", "quickjs 2024.1.13"),
        (["node"], "warning", "node 18.19.0 is too old"),
        (["bun"], "warning", "no JavaScript runtime is found"),
        ([], "warning", "no JavaScript runtime is found"),
    ],
)
def test_the_first_runtime_that_the_extractor_takes_is_named(
    tmp_path: Path, runtimes: list[str], severity: str, told: str
) -> None:
    """Programs are asked for their version in the order of the configuration, those at a path too."""
    for program, says in (("deno", "deno 2.3.1 (stable)"), ("node", "v18.19.0"), ("qjs", "QuickJS version 2024-01-13")):
        (tmp_path / program).write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
        (tmp_path / program).chmod(0o755)
    settings = Settings.model_validate({"download": {"js_runtimes": [f"{name}:{tmp_path}" for name in runtimes]}})
    (finding,) = check_javascript(settings)
    assert (severity, True) == (finding.severity, told in finding.message)


def test_an_address_that_cannot_be_listened_at_is_told_from_a_taken_port(tmp_path: Path) -> None:
    """Each has the cure of its own key."""
    with running(Site()) as site:
        for host, port, key in (("127.0.0.1", site.port, "api.port"), ("192.0.2.1", 0, "api.host")):
            settings = Settings.model_validate({"api": {"host": host, "port": port}, "storage": {"dir": str(tmp_path)}})
            (finding,) = check_port(settings)
            assert ("error", True, True) == (finding.severity, key in finding.cure, key in finding.cure_zh)


def test_cookies_are_looked_at_where_a_folder_is_named(tmp_path: Path) -> None:
    """None configured is nothing to say; without files, or with files that others can read, there is a cure."""
    assert [] == list(check_cookies(Settings()))
    settings = Settings.model_validate({"download": {"cookies_dir": str(tmp_path)}})
    (empty,) = check_cookies(settings)
    assert ("warning", True) == (empty.severity, "example.com.txt" in empty.cure)
    file = tmp_path / "videos.example.txt"
    file.touch(mode=0o644)
    (shared,) = check_cookies(settings)
    assert ("warning", True) == (shared.severity, "chmod 600" in shared.cure)
    file.chmod(0o600)
    (private,) = check_cookies(settings)
    assert ("fine", "videos.example") == (private.severity, private.message)
