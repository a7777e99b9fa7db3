"""What can be told from valid settings alone: keys without effect, secrets, exposure to the network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from operator import attrgetter

from pydantic import BaseModel, SecretStr

from pipeline.config.settings import Settings
from pipeline.errors import ConfigInvalid

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


def not_in_effect(settings: Settings) -> tuple[str, ...]:
    """Name the keys that are set to something else than their default although nothing uses them yet."""
    defaults = Settings()
    return tuple(key for key in sorted(NOT_IN_EFFECT) if attrgetter(key)(settings) != attrgetter(key)(defaults))


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


def check_exposure(settings: Settings, *, has_made_tokens: bool) -> None:
    """Refuse to listen to other machines while nobody has chosen a token.

    Args:
        settings: host and configured tokens.
        has_made_tokens: whether there are tokens made by ``token new``; the one made at first start is none.

    Raises:
        ConfigInvalid: other machines could reach the daemon.
    """
    host = settings.api.host
    if is_loopback_host(host) or settings.api.tokens or has_made_tokens:
        return
    raise ConfigInvalid(
        [
            f"api.host = {host!r}: other machines can reach this address, so a token must be set first: "
            "set api.auth_token, or run 'python run_daemon.py token new NAME'"
            " · 其他机器可以访问这个地址，必须先设置令牌："
            "请设置 api.auth_token，或运行 python run_daemon.py token new NAME"
        ]
    )
