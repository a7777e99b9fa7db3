"""The inbox: messages stay in the store, and the log says that they came."""

from __future__ import annotations

import structlog

from pipeline.core.messages import Message
from pipeline.ports import Receipt, Sent

log = structlog.get_logger()


class Inbox:
    """Where messages are read on the page and through the API, because no robot is configured."""

    address = None
    """The store does not mind how much is written to it."""

    async def send(self, message: Message) -> Receipt:
        """Log the first line; the store has the rest already."""
        log.info(
            "message",
            number=message.number,
            of=message.of,
            kind=message.kind,
            bytes=len(message.text.encode()),
            first_line=message.text.split("\n", 1)[0],
        )
        return Sent()

    async def close(self) -> None:
        """Hold nothing, so close nothing."""
