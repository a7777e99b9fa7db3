"""Who may talk to the daemon: configured tokens, made ones, and the one made at first start.

Only SHA-256 digests are kept in memory. Made tokens stand in ``tokens.json`` in the data folder, their names
mapped to digests; the file is read again whenever it changes, so that a token works, or ends, at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from pathlib import Path

import structlog

from pipeline.config import Settings, check_exposure, is_loopback_host
from pipeline.log import hide

log = structlog.get_logger()

DEFAULT_OWNER = "default"
"""Who the only configured token, or the generated one, stands for."""

_TOKEN = re.compile(r"[!-~]{8,}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Keyring:
    """Knows whose a token is."""

    def __init__(self, configured: dict[str, str], made: MadeTokens) -> None:
        """Hold the tokens.

        Args:
            configured: owner by digest (hex).
            made: the tokens that may change while the daemon runs.
        """
        self._configured = configured
        self._made = made

    @classmethod
    def open(cls, settings: Settings) -> Keyring:
        """Gather the tokens of the configuration and the data folder; make one if there is none.

        Raises:
            ConfigInvalid: the daemon is to listen beyond this machine, and nobody has set a token.
        """
        folder = settings.storage.dir
        made = MadeTokens(folder / "tokens.json")
        check_exposure(settings, has_made_tokens=bool(made.owners()))
        tokens = {secret.get_secret_value() for secret in settings.api.tokens}
        # The generated token was chosen by nobody, so it opens nothing to other machines.
        if not tokens and is_loopback_host(settings.api.host):
            generated = generated_token(folder / "token", create=not made.owners())
            tokens = {generated} if generated else set()
        return cls(_owners(tokens), made)

    def owner(self, token: bytes) -> str | None:
        """Name the owner of a token, or None if nobody has it."""
        digest = _digest(token)
        found = None
        # All are compared, and in constant time each, so that the time taken tells nothing.
        for known, owner in (self._configured | self._made.owners()).items():
            if hmac.compare_digest(known, digest):
                found = owner
        return found


class MadeTokens:
    """The tokens of ``token new``, as their file has them at this moment."""

    def __init__(self, file: Path) -> None:
        """Name the file; it need not be there."""
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._owners: dict[str, str] = {}

    def owners(self) -> dict[str, str]:
        """Owner by digest (hex)."""
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            self._owners = self._read() if stamp else {}
        return self._owners

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _read(self) -> dict[str, str]:
        """Read the file; one that cannot be understood opens nothing."""
        try:
            names = json.loads(self._file.read_bytes())
            return {digest: name for name, digest in names.items() if _DIGEST.fullmatch(digest)}
        except (OSError, ValueError, AttributeError, TypeError):
            log.exception("the file of made tokens cannot be read; none of them is valid", file=str(self._file))
            return {}


def generated_token(file: Path, *, create: bool) -> str | None:
    """Read the token made at first start, or make it.

    Args:
        file: where it lies, readable by its owner only.
        create: whether to make one if there is none.
    """
    try:
        token = file.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        token = ""
    if not _TOKEN.fullmatch(token):
        if not create:
            return None
        token = "tr_" + secrets.token_urlsafe(32)
        _write_private(file, token + "\n")
        log.info("made a token for the API; it lies in this file", file=str(file))
    hide(token)
    return token


def _owners(tokens: set[str]) -> dict[str, str]:
    digests = [_digest(token.encode()) for token in tokens]
    alone = len(digests) == 1
    return {digest: DEFAULT_OWNER if alone else f"t-{digest[:12]}" for digest in digests}


def _digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def _write_private(file: Path, text: str) -> None:
    """Write at once or not at all: a torn token would be taken for a short one."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)
    draft.replace(file)
