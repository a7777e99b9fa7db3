"""The shelf of models, with a hub that takes its time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.bridge import Bridge, StopSignal
from pipeline.child import Zygote
from pipeline.engine.model_record import ModelRecord
from pipeline.engine.models import ModelShelf, Stock
from pipeline.failures import ModelCorrupt
from pipeline.roster import Roster
from pipeline.service import Watch
from tests.fakes.server import running
from tests.fakes.site import Reply, Site
from tests.integration.api import SOON_S


async def test_a_model_that_is_here_does_not_wait_for_one_that_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at meanwhile; one whose folder is not there is damaged, and nobody else hears of it."""
    with running(Site()) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        gate = site.gate("hub")
        site.serve("/api/models/Systran/faster-whisper-small/revision/main", Reply(status=404, gate=gate))
        bridge, stop, changes = Bridge(asyncio.get_running_loop(), Watch().give_up), StopSignal(), asyncio.Queue[None]()
        zygote = Zygote((), Roster(tmp_path / "processes"))
        shelf = ModelShelf(bridge, zygote, ModelRecord(tmp_path), stop, lambda: changes.put_nowait(None))
        try:
            assert Stock.FETCHING is shelf.want("small")
            assert {Stock.CHECKING} == {shelf.want("demo"), shelf.want("/nowhere")}
            async with asyncio.timeout(SOON_S):
                await changes.get()
                await changes.get()
            assert (Stock.HERE, Stock.MISSING) == (shelf.want("demo"), shelf.want("/nowhere"))
            assert isinstance(shelf.failure("/nowhere"), ModelCorrupt)
            assert Stock.FETCHING is shelf.want("small")
        finally:
            gate.open()
            stop.raise_now()
            await bridge.join()
            await asyncio.to_thread(zygote.close)
