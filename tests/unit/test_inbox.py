"""The inbox: where messages come to rest without a robot."""

from __future__ import annotations

from structlog.testing import capture_logs

from pipeline.core.messages import Kind, Message
from pipeline.ports import Sent
from stages.channels.inbox import Inbox


async def test_inbox_takes_everything_and_logs_the_first_line() -> None:
    """A message is sent at once; the log has its first line and size, not its text."""
    inbox = Inbox()
    with capture_logs() as logged:
        assert Sent() == await inbox.send(Message(2, 3, Kind.TEXT, "text", "(2/3)\n一句话。"))
    await inbox.close()
    assert [
        {
            "event": "message",
            "log_level": "info",
            "number": 2,
            "of": 3,
            "kind": Kind.TEXT,
            "bytes": 18,
            "first_line": "(2/3)",
        }
    ] == logged
