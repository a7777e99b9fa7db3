"""One question to an OpenAI-compatible endpoint: the one file that knows the ``openai`` package.

Whatever goes wrong out there becomes one of our errors here.
"""

from __future__ import annotations

import asyncio
import re
import time
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from pipeline.config import LlmSettings, is_loopback_host
from pipeline.core.retry import read_retry_after
from pipeline.core.task import Usage
from pipeline.llm_failures import (
    LlmAuth,
    LlmFailed,
    LlmGarbled,
    LlmModel,
    LlmQuota,
    LlmRateLimited,
    LlmRefused,
    LlmUnavailable,
)
from pipeline.ports import Answer, Question, TooLong

CONNECT_S = 10.0
SILENT_SHARE = 0.5
"""An endpoint that sends nothing for this share of ``llm.timeout_s`` is taken for dead."""
LONGEST_WORDS = 300
"""Characters of what an endpoint says about its failure that are kept, for the log."""
MOST_TOKENS = 1_000_000_000
"""More than any question costs; an endpoint that says so is not believed."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters of an answer that are no text, but may drive the terminal it is printed in."""
_THOUGHTS = re.compile(r"\A.*</think>", re.DOTALL)
"""What models that think aloud put before their answer; some servers leave it there, with or without its start."""


class Endpoint:
    """Sends questions; ``load`` it on a thread, then use it on the loop."""

    def __init__(self, settings: LlmSettings) -> None:
        """Know the address; nothing is sent yet."""
        self._settings = settings
        self._client: Any = None
        self._why_not = "not loaded"

    def load(self) -> None:
        """Import the library and make its client; takes a second at first, so never call it on the loop."""
        if self._client is None:
            try:
                self._client = _client(self._settings)
            except Exception as error:  # noqa: BLE001 - such as a proxy that the library cannot use
                self._why_not = f"{type(error).__name__}: {_words(str(error))}"

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def ask(self, model: str, question: Question, until: float, spent: list[Usage]) -> Answer | TooLong:
        """Ask once.

        Args:
            model: who is asked.
            question: what.
            until: when its time is over, by the loop's clock.
            spent: what the answer cost is added here, whatever it is worth.

        Raises:
            LlmFailed: there is no answer, or none that can be trusted to be whole.
        """
        if self._client is None:
            raise LlmUnavailable(f"{model}: {self._why_not}")
        try:
            async with asyncio.timeout_at(until):
                content = await self._send(model, question)
        except TimeoutError:
            raise LlmUnavailable(f"{model}: no answer within llm.timeout_s") from None
        except Exception as error:  # the border: whatever the library raises gets a name of ours
            named = _named(error, model)
            if named is None:
                return TooLong(model)
            raise named from error
        return _read(content, model, spent)

    async def _send(self, model: str, question: Question) -> bytes:
        """Ask, and return the answer as it came: the library would take anything that is JSON for an answer."""
        import openai  # noqa: PLC0415 - loaded by now, see `_client`

        has_key = bool(self._settings.api_key.get_secret_value())
        answer = await self._client.chat.completions.with_raw_response.create(
            model=model,
            messages=[{"role": "system", "content": question.system}, {"role": "user", "content": question.user}],
            extra_headers={} if has_key else {"Authorization": openai.Omit()},
        )
        content: bytes = answer.content
        return content


def _client(settings: LlmSettings) -> Any:  # noqa: ANN401 - importing the type would import the library
    import openai  # noqa: PLC0415 - takes a second, and only where an endpoint is configured

    silence_s = max(1.0, settings.timeout_s * SILENT_SHARE)
    is_local = is_loopback_host(urlsplit(settings.base_url).hostname or "")
    client = openai.AsyncOpenAI(
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value() or "none",  # without one the library refuses to begin
        max_retries=0,  # we ask again ourselves: within one time for all, and only where it is of use
        timeout=openai.Timeout(settings.timeout_s, connect=CONNECT_S, read=silence_s),
        # A proxy of the environment leads out of this machine; what runs on it cannot be reached that way.
        http_client=openai.DefaultAsyncHttpxClient(trust_env=not is_local),
    )
    _ = client.chat.completions  # imports the rest of the library
    return client


# ---------------------------------------------------------------------------------------------
# Answers
# ---------------------------------------------------------------------------------------------


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


def _believed(count: object) -> int:
    """Take a number of tokens; what is none costs nothing, for the answer beside it may be good."""
    return int(count) if isinstance(count, int | float) and 0 <= count <= MOST_TOKENS else 0


_Count = Annotated[int, BeforeValidator(_believed)]


class _Tokens(BaseModel):
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0


class _Completion(BaseModel):
    """What we need of an answer."""

    choices: list[_Choice] = Field(min_length=1)
    usage: Annotated[_Tokens, BeforeValidator(lambda said: said if isinstance(said, dict) else {})] = _Tokens()


def _read(content: bytes, model: str, spent: list[Usage]) -> Answer | TooLong:
    """Read an answer, and note what it cost."""
    try:
        completion = _Completion.model_validate_json(content)
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise LlmGarbled(f"{model}: {what}: {_words(content.decode(errors='replace'))}") from None
    spent.append(Usage(completion.usage.prompt_tokens, completion.usage.completion_tokens))
    choice = completion.choices[0]
    text = _CONTROL.sub("", _THOUGHTS.sub("", choice.message.content or "")).strip()
    match choice.finish_reason:
        case "length":
            return TooLong(model)
        case "content_filter":
            raise LlmRefused(f"{model}: its filter")
        case "stop" if choice.message.refusal:
            raise LlmRefused(f"{model}: {_words(choice.message.refusal)}")
        case "stop" if text:
            return Answer(text, model)
        case "stop":
            raise LlmGarbled(f"{model}: the answer is empty")
    raise LlmGarbled(f"{model}: finish_reason is {choice.finish_reason}, so it may not be whole")


# ---------------------------------------------------------------------------------------------
# Failures
# ---------------------------------------------------------------------------------------------

_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length"})
_BY_CODE: dict[str | None, type[LlmFailed]] = {
    "insufficient_quota": LlmQuota,
    "billing_hard_limit_reached": LlmQuota,
    "quota_exceeded": LlmQuota,
    "model_not_found": LlmModel,
    "model_not_exist": LlmModel,
    "invalid_model": LlmModel,
}
"""What endpoints say in the body goes before the status: an empty account is answered 429 by some."""
_BY_STATUS: dict[int, type[LlmFailed]] = {
    HTTPStatus.UNAUTHORIZED: LlmAuth,
    HTTPStatus.PAYMENT_REQUIRED: LlmQuota,
    HTTPStatus.FORBIDDEN: LlmAuth,
    HTTPStatus.NOT_FOUND: LlmModel,
    HTTPStatus.REQUEST_TIMEOUT: LlmUnavailable,
    HTTPStatus.CONFLICT: LlmUnavailable,
    HTTPStatus.TOO_EARLY: LlmUnavailable,
    HTTPStatus.TOO_MANY_REQUESTS: LlmRateLimited,
}


def _named(error: Exception, model: str) -> LlmFailed | None:
    """Name what the library raised in our words; None: the question is too long."""
    import openai  # noqa: PLC0415 - loaded by now, see `_client`

    if isinstance(error, openai.APIStatusError):
        return _named_status(error, f"{model}: {_words(error.message)}")
    if isinstance(error, openai.APITimeoutError):
        return LlmUnavailable(f"{model}: it is silent")
    cause = error.__cause__ or error
    return LlmUnavailable(f"{model}: {type(cause).__name__}: {_words(str(cause))}")


def _named_status(error: Any, said: str) -> LlmFailed | None:  # noqa: ANN401 - a type of the library
    status, codes = error.status_code, [error.code, error.type]
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or not _TOO_LONG.isdisjoint(codes):
        return None
    otherwise = LlmUnavailable if status >= HTTPStatus.INTERNAL_SERVER_ERROR else LlmRefused
    kind = next((_BY_CODE[code] for code in codes if code in _BY_CODE), _BY_STATUS.get(status, otherwise))
    return kind(said, retry_after_s=_retry_after_s(error.response.headers))


def _retry_after_s(headers: Any) -> float | None:  # noqa: ANN401 - a type of the library's own library
    """Read when to come back, in seconds; None if the endpoint does not say."""
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        return read_retry_after(headers.get("retry-after", ""), time.time())


def _words(said: str) -> str:
    one_line = " ".join(said.split())
    return one_line if len(one_line) <= LONGEST_WORDS else f"{one_line[:LONGEST_WORDS]}…"
