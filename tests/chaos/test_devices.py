"""A device whose process dies again and again, and one that has nothing to do."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.logbook import said
from tests.chaos.world import world
from tests.daemon import Client, Json


async def test_a_device_that_dies_again_and_again_is_out_of_service(tmp_path: Path) -> None:
    """After three deaths in a row it is shown as such and tasks wait; after a restart it works, and rests when idle."""
    scheduler, transcribe = {"retry_delay_s": 0}, {"idle_unload_s": 0.5}
    with world(tmp_path, with_llm=False, scheduler=scheduler, transcribe=transcribe) as made:
        made.daemon.start()
        deadly = made.tape(fault="die", again=True)
        harmless = made.tape()
        async with Client(made.daemon) as client:
            dead_id = await made.submit(client, made.serve(deadly), deadly)
            assert "worker_crashed" == (await client.finished(dead_id))["error"]["type"]
            status, ready = await client.get("/readyz")
            assert (503, ["device:cpu"]) == (status, [part["what"] for part in ready["data"]["missing"]])
            task_id = await made.submit(client, made.serve(harmless), harmless)
            await said(made.daemon, "tasks wait for a device", "why=service")
            assert "device" == (await client.state(task_id))["waiting_for"]
            shown = await _devices(client)
        (device,) = shown["devices"]
        assert (False, 0, []) == (device["in_service"], device["running"], device["models"])
        assert "died three times" in device["why"]
        assert ["service"] == [waiting["why"] for waiting in shown["waiting"]]
        made.kill()
        made.daemon.start()
        async with Client(made.daemon) as client:
            assert "completed" == (await client.finished(task_id))["status"]
            await said(made.daemon, "engine ended: nothing to do")
            (device,) = (await _devices(client))["devices"]
            assert (True, None, 0, []) == tuple(device[name] for name in ("in_service", "why", "running", "models"))
            assert device["memory_free_mb"] < device["memory_total_mb"]


async def _devices(client: Client) -> Json:
    status, answer = await client.get("/api/gpu")
    assert 200 == status
    found: Json = answer["data"]
    return found
