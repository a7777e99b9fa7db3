"""Who may talk to the daemon: configured tokens, made ones, and the one made at first start.

Only SHA-256 digests are kept in memory. Made tokens stand in ``tokens.json`` in the data folder, their names
mapped to digests; the file is read again whenever it changes, so that a token works, or ends, at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from pipeline.config import Settings, exposure, is_loopback_host
from pipeline.errors import ConfigInvalid, DataFolderUnusable
from pipeline.redaction import hide

log = structlog.get_logger()

DEFAULT_OWNER = "default"
"""Who the only configured token, or the generated one, stands for."""

NAME = re.compile(r"(?!t-)[A-Za-z0-9_.-]{1,64}")
"""What a made token may be called; ``t-…`` names the owners of configured tokens."""

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
        keyring = cls({}, MadeTokens(settings.storage.dir))
        keyring.adopt(settings)
        return keyring

    def adopt(self, settings: Settings) -> None:
        """Know the tokens of these settings from now on.

        Raises:
            ConfigInvalid: as `open`; nothing has changed then.
        """
        made = self._made.owners()
        problems = exposure(settings, lambda _: bool(made))
        if problems:
            raise ConfigInvalid(problems)
        tokens = {secret.get_secret_value() for secret in settings.api.tokens}
        # The generated token was chosen by nobody, so it opens nothing to other machines.
        if not tokens and is_loopback_host(settings.api.host):
            generated = generated_token(settings.storage.dir / "token", create=not made)
            tokens = {generated} if generated else set()
        self._configured = _owners(tokens)

    def owner(self, token: bytes) -> str | None:
        """Name the owner of a token, or None if nobody has it."""
        sent = digest_of(token)
        found = None
        # All are compared, and in constant time each, so that the time taken tells nothing.
        for known, owner in (self._configured | self._made.owners()).items():
            if hmac.compare_digest(known, sent):
                found = owner
        return found


class MadeTokens:
    """The tokens of ``token new``, as their file has them at this moment."""

    def __init__(self, folder: Path) -> None:
        """Name the data folder; neither it nor the file need be there."""
        self._file = folder / "tokens.json"
        self._stamp: tuple[int, int, int] | None = None
        self._owners: dict[str, str] = {}

    def owners(self) -> dict[str, str]:
        """Owner by digest (hex)."""
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            self._owners = self._read() if stamp else {}
        return self._owners

    @contextmanager
    def changing(self) -> Iterator[dict[str, str]]:
        """Give the tokens as digest by name; what the block leaves of them is written, by one process at a time.

        Raises:
            DataFolderUnusable: the file cannot be understood, and is left as it is.
        """
        folder = self._file.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            names = self._names() if self._file.exists() else {}
            yield names
            _write_private(self._file, json.dumps(names, indent=4) + "\n")
        finally:
            os.close(lock)

    def _names(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._file.read_bytes()))
        except (ValueError, TypeError):
            raise DataFolderUnusable(
                f"{self._file} is damaged: repair or delete it / 文件已损坏，请修复或删除"
            ) from None

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
            # No traceback: it is the file that is wrong, and a start that is refused for it shows none.
            log.error("the file of made tokens cannot be read; none of them is valid", file=str(self._file))  # noqa: TRY400 - see above
            return {}


def has_made_tokens(folder: Path) -> bool:
    """Tell whether ``token new`` has made tokens in this data folder."""
    return bool(MadeTokens(folder).owners())


def generated_token(file: Path, *, create: bool) -> str | None:
    """Read the token made at first start, or make it.

    Args:
        file: where it lies, readable by its owner only.
        create: whether to make one if there is none.

    Raises:
        DataFolderUnusable: the file can neither be read nor made.
    """
    try:
        token = file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else ""
        if not _TOKEN.fullmatch(token):
            if not create:
                return None
            token = new_token()
            _write_private(file, token + "\n")
            log.info("made a token for the API; it lies in this file", file=str(file.absolute()))
    except OSError as error:
        raise DataFolderUnusable(f"{file}: {error.strerror}") from None
    hide(token)
    return token


def new_token() -> str:
    """Make a token that nobody can guess."""
    return "tr_" + secrets.token_urlsafe(32)


def _owners(tokens: set[str]) -> dict[str, str]:
    digests = [digest_of(token.encode()) for token in tokens]
    alone = len(digests) == 1
    return {digest: DEFAULT_OWNER if alone else f"t-{digest[:12]}" for digest in digests}


def digest_of(token: bytes) -> str:
    """What is kept of a token: its SHA-256, in hex."""
    return hashlib.sha256(token).hexdigest()


def _write_private(file: Path, text: str) -> None:
    """Write at once or not at all: a torn token would be taken for a short one."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        if os.geteuid() == 0:  # root may write for a daemon that runs as the folder's owner and has to read it
            owner = file.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)
    draft.replace(file)
