"""What can be told from valid settings alone: keys without effect, secrets, exposure to the network."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr

from pipeline.config.settings import Settings

# The features behind these keys are not built yet; the keys are taken so that a complete file stays valid.
NOT_IN_EFFECT = frozenset({
    "download.captions",
    "llm.translate_model",
    "notify.callback_secret",
    "notify.channels",
    "web.base_url",
    "web.timezone",
    "wechat.allow_request_webhook",
})  # fmt: skip


SHORTEST_OPEN_TOKEN = 8
"""Characters of a token that other machines can try; on this machine any will do."""


def not_in_effect(settings: Settings) -> tuple[str, ...]:
    """Name the keys that the configuration sets, to whatever value, although nothing uses them yet."""
    return tuple(key for key in sorted(NOT_IN_EFFECT) if _is_set(settings, key))


def _is_set(settings: Settings, dotted: str) -> bool:
    section, _, key = dotted.partition(".")
    return key in getattr(settings, section).model_fields_set


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Give every secret the settings hold, to be kept out of the log."""
    for _, value in settings:
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, BaseModel):
                yield from secrets_of(item)
            elif isinstance(item, SecretStr) and item.get_secret_value():
                yield item.get_secret_value()


def is_loopback_host(host: str) -> bool:
    """Tell whether only this machine itself can reach what listens on this host."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def exposure(settings: Settings, has_made_tokens: Callable[[Path], bool]) -> list[str]:
    """Tell why other machines must not reach the daemon: nobody has chosen a token, or one can be guessed.

    Args:
        settings: host and configured tokens.
        has_made_tokens: tells whether there are tokens made by ``token new`` in the data folder; the one made at first
            start is none. Asked only if it matters.
    """
    host, tokens = settings.api.host, settings.api.tokens
    if is_loopback_host(host):
        return []
    if any(len(token.get_secret_value()) < SHORTEST_OPEN_TOKEN for token in tokens):
        return [
            f"api.auth_token: other machines can reach api.host = {json.dumps(host)}, so each token must have at "
            f"least {SHORTEST_OPEN_TOKEN} characters"
            f" · 其他机器可以访问 api.host，每个令牌至少需要 {SHORTEST_OPEN_TOKEN} 个字符"
        ]
    if tokens or has_made_tokens(settings.storage.dir):
        return []
    return [
        f"api.host = {json.dumps(host)}: other machines can reach this address, so a token must be set first: "
        "set api.auth_token, or run 'python run_daemon.py token new NAME'"
        " · 其他机器可以访问这个地址，必须先设置令牌："
        "请设置 api.auth_token，或运行 python run_daemon.py token new NAME"
    ]
