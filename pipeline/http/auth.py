"""The door: whose a request is, by its bearer token."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from aiohttp import web

from pipeline.keyring import Keyring
from pipeline.refusals import RateLimited, Unauthorized

MOST_FAILURES = 20
WINDOW_S = 60.0
MOST_PEERS = 1024
"""Addresses whose failures are remembered; beyond, the oldest is forgotten."""


class Door:
    """Lets in who has a token, and makes those who guess wait."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float] = time.monotonic) -> None:
        """Stand before the API.

        Args:
            keyring: knows the tokens.
            clock: seconds that only go forward.
        """
        self._keyring = keyring
        self._clock = clock
        self._failures = Failures()

    def admit(self, request: web.Request) -> str:
        """Name the owner of the request's token. A right token is let in whatever came from its address before.

        Raises:
            Unauthorized: no token, or a wrong one.
            RateLimited: a wrong one again, after many.
        """
        token = bearer_token(request.headers.getall("Authorization", ()))
        owner = self._keyring.owner(token) if token else None
        if owner is None:
            wait_s = self._failures.note(request.remote or "", self._clock())
            raise RateLimited(retry_after=math.ceil(wait_s)) if wait_s else Unauthorized()
        return owner


def bearer_token(headers: Sequence[str]) -> bytes | None:
    """Take the token out of the ``Authorization`` headers; None if there is not exactly one bearer token."""
    if len(headers) != 1:
        return None
    scheme, _, token = headers[0].strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    # Bytes that are no UTF-8 came in as surrogates and go out as they were.
    return token.strip().encode("utf-8", "surrogateescape") or None


class Failures:
    """Counts wrong tokens by address, within bounded memory."""

    def __init__(self) -> None:
        """Begin with none."""
        self._peers: dict[str, tuple[float, int]] = {}

    def note(self, peer: str, now: float) -> float:
        """Count one more failure.

        Returns:
            Seconds that this address must wait; 0 while it has not failed too often.
        """
        since, count = self._peers.get(peer, (now, 0))
        if now - since >= WINDOW_S:
            since, count = now, 0
        if peer not in self._peers and len(self._peers) >= MOST_PEERS:
            del self._peers[next(iter(self._peers))]
        self._peers[peer] = since, count + 1
        return since + WINDOW_S - now if count >= MOST_FAILURES else 0.0
