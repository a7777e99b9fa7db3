"""A server as one would write it first: aiohttp, a row and an event for each request, committed by ``aiosqlite``.

``python -m benchmarks.plain_server DB`` prints its port and serves until its stdin ends. It promises less than the
daemon: ``synchronous=NORMAL`` may lose the last commits when the power fails.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid

import aiosqlite
from aiohttp import web

TABLES = """
PRAGMA journal_mode = wal;
PRAGMA synchronous = normal;
CREATE TABLE task (id TEXT PRIMARY KEY, url TEXT NOT NULL, status TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX waiting ON task (status, at);
CREATE TABLE event (task_id TEXT NOT NULL, kind TEXT NOT NULL, at REAL NOT NULL);
"""


async def main(path: str) -> None:
    """Serve ``POST /api/transcribe``."""
    async with aiosqlite.connect(path, isolation_level=None) as conn:
        await conn.executescript(TABLES)
        turn = asyncio.Lock()

        async def submit(request: web.Request) -> web.Response:
            url, task_id, now = json.loads(await request.read())["url"], uuid.uuid4().hex, time.time()
            async with turn:
                await conn.execute("BEGIN IMMEDIATE")
                await conn.execute("INSERT INTO task VALUES (?, ?, 'pending', ?)", (task_id, url, now))
                await conn.execute("INSERT INTO event VALUES (?, 'accepted', ?)", (task_id, now))
                await conn.execute("COMMIT")
            return web.json_response({"task_id": task_id, "status": "pending"}, status=202)

        app = web.Application()
        app.router.add_post("/api/transcribe", submit)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
