"""Some of the chaos with the model that ships: real speech, really recognized, through deaths."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.chaos.ledger import close_books
from tests.chaos.recordings import Speech
from tests.chaos.world import world
from tests.daemon import Client
from tests.fakes import media
from tests.fakes.site import Reply

pytestmark = pytest.mark.timeout(3600)
TASKS = 6
SENTENCES = 8
LONGEST_LIFE_S = 8.0


@pytest.mark.whole_only
async def test_real_speech_survives_kills(tmp_path: Path, seed: int, chance: random.Random, note: Note) -> None:
    """Killed again and again while the demo model recognizes, every task has the words of its own recording."""
    kills = 10
    with world(tmp_path, real_model=True, with_llm=False) as made:
        made.daemon.start()
        async with Client(made.daemon) as client:
            for number in range(TASKS):
                spoken = media.story(number, SENTENCES)
                url = made.serve(None, Reply(body=media.speech(spoken)))
                await made.submit(client, url, Speech(media.text_of(spoken)))
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.5, LONGEST_LIFE_S))
            made.kill()
            made.daemon.start()
        balance = await close_books(made)
    what = f"{kills} random kills with the demo model, {TASKS} recordings of real speech (seed {seed})"
    note("F1", what, "0 lost, 0 out of order, 0 interleaved, each its own words", balance)
    balance.check()
    assert {"completed": TASKS} == balance.tasks
