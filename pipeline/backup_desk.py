"""Makes backups for the command ``backup``, which asks for them at a socket in the data folder.

Only who may enter the data folder reaches the socket. A route of the API would let every token name a file to write.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from pipeline.data_folder import backup_socket
from pipeline.errors import CommandFailed, Interrupted

log = structlog.get_logger()


class BackupDesk:
    """Takes one line, ``{"path": …}``, and answers with one: ``{"bytes": …}`` or ``{"error": [english, chinese]}``."""

    def __init__(self, folder: Path, back_up: Callable[[Path], Awaitable[int]]) -> None:
        """Take the data folder, and what makes a backup and tells its size."""
        self._folder = folder
        self._back_up = back_up
        self._one_at_a_time = asyncio.Lock()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin answering."""
        with backup_socket(self._folder) as path:
            self._server = await asyncio.start_unix_server(self._answer, path)

    async def stop(self) -> None:
        """Answer no more; a copy that is being made ends when the store is closed."""
        if self._server is not None:
            self._server.close()
        with backup_socket(self._folder) as path:
            path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            wanted = json.loads(await reader.readline())
            writer.write(json.dumps(await self._made(Path(wanted["path"]))).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError, KeyError, TypeError) as error:
            log.warning("a backup was asked for in a way that is not understood", why=str(error))
        finally:
            writer.close()

    async def _made(self, path: Path) -> dict[str, object]:
        try:
            async with self._one_at_a_time:
                size_bytes = await self._back_up(path)
        except CommandFailed as failure:
            log.warning("no backup was made", path=str(path), why=failure.message)
            return {"error": [failure.message, failure.localized]}
        except Interrupted as stopping:
            return {"error": [stopping.message, stopping.localized]}
        log.info("a backup was made", path=str(path), bytes=size_bytes)
        return {"bytes": size_bytes}
