"""Checks of the doctor that ask others."""

from __future__ import annotations

import pytest

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
def test_the_answer_of_the_llm_decides(reply: Reply, severity: str) -> None:
    """A wrong key or no API is an error, an unlisted model a warning; not all can list their models."""
    with running(Site()) as site:
        site.serve("/v1/models", reply)
        settings = Settings.model_validate(
            {"llm": {"base_url": f"{site.url}/v1/", "api_key": "the-key", "model": "big"}}
        )
        (finding,) = check_llm(settings)
        assert severity == finding.severity
        assert ["Bearer the-key"] == [visit.headers["Authorization"] for visit in site.requests]
    assert (severity == "fine") == (finding.cure == "")
