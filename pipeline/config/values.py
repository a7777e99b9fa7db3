"""The kinds of values a setting may hold: secrets, paths, addresses, and text of a certain form.

What is wrong with a value is said in two languages by a `PydanticCustomError` of type ``expected``,
whose context holds ``english`` and ``chinese``, and ``keys`` if it is about how several go together.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    ValidationInfo,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pipeline.core.addresses import AddressPolicy
from pipeline.core.languages import LANGUAGES


def expected(english: str, chinese: str, *keys: str) -> PydanticCustomError:
    """Make the error that says what a value should have been; of several keys that do not go together, the first."""
    return PydanticCustomError("expected", "{english}", {"english": english, "chinese": chinese, "keys": keys})


# ---------------------------------------------------------------------------------------------
# Text
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Matching:
    """Text of a certain form; the pattern is the whole of it."""

    pattern: str
    english: str
    chinese: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check before the type, so that a number in its place is answered with the form too."""
        return core_schema.no_info_before_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Give the pattern to editors."""
        return handler(schema) | {"pattern": f"^(?:{self.pattern})$"}

    def _checked(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise expected(self.english, self.chinese)
        return value


# Neither control characters nor halves of characters, which nothing can store or send.
_CHARACTER = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]"
_VISIBLE = rf"(?!\s){_CHARACTER}"
_PROXY = rf"|(?:https?|socks(?:4a?|5h?))://(?:(?![/?#]){_VISIBLE})+/?"
_ADDRESS = rf"https?://(?:(?![/?#@]){_VISIBLE})+(?:[/?#](?:{_VISIBLE})*)?"

Text = Annotated[str, Matching(rf"{_CHARACTER}*", "text on one line", "单行文本")]
Name = Annotated[
    str,
    Matching(rf"{_VISIBLE}(?:{_CHARACTER}*(?<!\s))?", "a name, without spaces around it", "名称，前后没有空格"),
]
HttpAddress = Annotated[
    str,
    Matching(
        rf"|{_ADDRESS}", "empty, or an address with http:// or https://", "留空，或以 http:// 或 https:// 开头的地址"
    ),
]
Device = Annotated[
    str, Matching(r"auto|cpu|cuda(?::[0-9]{1,2})?", "auto, cpu, cuda or cuda:N", "auto、cpu、cuda 或 cuda:N")
]
Language = Annotated[
    str,
    Matching(
        f"auto|{'|'.join(sorted(LANGUAGES))}",
        "auto or the code of a language Whisper knows, such as zh or en",
        "auto，或 Whisper 支持的语言代码，例如 zh、en",
    ),
]
Runtime = Annotated[
    str,
    Matching(
        r"(?:deno|node|bun|quickjs)(?::\S.*)?",
        "deno, node, bun or quickjs, with or without :PATH",
        "deno、node、bun 或 quickjs，可带 :路径",
    ),
]
RobotName = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9_.\-\u3400-\u4dbf\u4e00-\u9fff]{1,64}",
        "1 to 64 letters, digits, Chinese characters or _ . -",
        "1 到 64 个字母、数字、汉字或 _ . -",
    ),
]


def _host(value: str) -> str:
    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    try:
        ipaddress.ip_address(value)
    except ValueError:
        # A last label of digits is a mistyped IPv4 address, never a name.
        if not re.fullmatch(rf"(?:{label}\.)*(?![0-9]+$){label}", value):
            raise expected(
                "an IP address or host name, without port or brackets", "IP 地址或主机名，不带端口和方括号"
            ) from None
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; not a name of a zone at all; a folder of zones
        raise expected(
            "a time zone this machine knows, such as Asia/Shanghai", "本机认识的时区，例如 Asia/Shanghai"
        ) from None
    return value


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise expected("a path", "路径")
    try:
        os.fsencode(value)
        return Path(value).expanduser()
    except (UnicodeError, RuntimeError):  # not a name a file can have; nobody's home
        raise expected("a path that can exist on this machine", "本机可用的路径") from None


Host = Annotated[str, AfterValidator(_host)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
PathValue = Annotated[Path, BeforeValidator(_path, json_schema_input_type=str)]


# ---------------------------------------------------------------------------------------------
# Lists
# ---------------------------------------------------------------------------------------------


def _allowed_hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    try:
        AddressPolicy.parse(entries, ())
    except ValueError as error:
        raise expected(
            f"a list of CIDR, address:port or host names; {error}", "CIDR、地址:端口或主机名的列表"
        ) from None
    return entries


Port = Annotated[int, Field(ge=1, le=65535)]
# A JSON array arrives as a list, which strict mode would not take for a tuple; the items stay strict.
Ports = Annotated[tuple[Port, ...], Field(strict=False)]
AllowedHosts = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_allowed_hosts)]
Names = Annotated[tuple[Name, ...], Field(strict=False)]
Runtimes = Annotated[tuple[Runtime, ...], Field(strict=False)]


# ---------------------------------------------------------------------------------------------
# Secrets
# ---------------------------------------------------------------------------------------------


class FromEnvironment(BaseModel):
    """A secret kept in an environment variable."""

    model_config = ConfigDict(extra="forbid")
    env: str = Field(description="Name of the environment variable that holds the secret.")


class FromFile(BaseModel):
    """A secret kept in a file of its own."""

    model_config = ConfigDict(extra="forbid")
    file: str = Field(description="Path of the file that holds the secret, relative to the working directory.")


def _secret(value: object, info: ValidationInfo) -> SecretStr:
    """Take the secret as it stands or from where it is kept."""
    match value:
        case SecretStr():
            return value
        case str():
            return SecretStr(value)
    kept = kept_elsewhere(value, info.context["environ"] if info.context else os.environ)
    if kept is None:
        raise expected('text, {"env": "NAME"} or {"file": "PATH"}', '文本、{"env": "变量名"} 或 {"file": "路径"}')
    if not kept.secret:
        raise expected(
            f"a secret in the {kept.english}, which is missing, unreadable or empty",
            f"{kept.chinese} 中的密钥；它不存在、不可读或为空",
        )
    return SecretStr(kept.secret)


class Kept(NamedTuple):
    """A secret that stands somewhere else, and where."""

    secret: str
    """Empty if it is not there."""
    english: str
    chinese: str


def kept_elsewhere(value: object, environ: Mapping[str, str]) -> Kept | None:
    """Look where a value says its secret is kept; None if it says no such thing."""
    match value:
        case {"env": str(name), **rest} if not rest:
            return Kept(environ.get(name, "").strip(), f"environment variable {name}", f"环境变量 {name}")
        case {"file": str(path), **rest} if not rest:
            return Kept(_content(Path(path).expanduser()), f"file {path}", f"文件 {path}")
    return None


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError):  # not there, not readable, not text
        return ""


def _token(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise expected(
            "a token of printable ASCII characters without spaces",
            "由可打印 ASCII 字符组成、不含空格的令牌",
        )
    return secret


def _proxy_address(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(_PROXY, secret.get_secret_value()):
        raise expected(
            "empty, or an address with http://, https:// or socks5://",
            "留空，或以 http://、https:// 或 socks5:// 开头的地址",
        )
    return secret


def _robot_address(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(_ADDRESS, secret.get_secret_value()):
        raise expected("an address with http:// or https://", "以 http:// 或 https:// 开头的地址")
    return secret


def _listed(value: object) -> object:
    """Take one value for a list of one, and the empty text for none."""
    if not isinstance(value, str | dict):
        return value
    return [value] if value else []


def as_robots(value: object) -> object:
    """Take a single address for the one robot named ``default``, and the empty text for none."""
    if not isinstance(value, str | dict):
        return value
    return [{"name": "default", "url": value}] if value else []


Secret = Annotated[SecretStr, BeforeValidator(_secret, json_schema_input_type=str | FromEnvironment | FromFile)]
Secrets = Annotated[tuple[Secret, ...], Field(strict=False)]
Token = Annotated[Secret, AfterValidator(_token)]
Tokens = Annotated[
    tuple[Token, ...],
    Field(strict=False),
    BeforeValidator(_listed, json_schema_input_type=Secret | list[Secret]),
]
ProxyAddress = Annotated[Secret, AfterValidator(_proxy_address)]
RobotAddress = Annotated[Secret, AfterValidator(_robot_address)]
