"""What an LLM can fail with: a text stage goes on without it and warns with one of these."""

from __future__ import annotations

import inspect
from typing import ClassVar

from pipeline.errors import TranscribedError


class LlmFailed(TranscribedError):
    """The LLM gave no answer."""

    message_zh = "大语言模型没有给出回答。"
    passes: ClassVar[bool] = False
    """Whether the same question may well be answered a little later."""
    lasts: ClassVar[bool] = False
    """Whether no question will be answered until somebody changes something."""

    def __init__(self, detail: str = "", *, retry_after_s: float | None = None) -> None:
        """Keep what is particular about this one, and when the endpoint asks to come back."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    @classmethod
    def advice(cls) -> tuple[str, str]:
        """What happened and what to do, in English and in Chinese; the particulars are for the log."""
        english, chinese = cls.cure
        return f"{inspect.cleandoc(cls.__doc__ or '')} {english}".strip(), f"{cls.message_zh}{chinese}"


class LlmAuth(LlmFailed):
    """The LLM endpoint refuses the key."""

    type = "llm_auth"
    message_zh = "大语言模型接口拒绝了密钥。"
    cure = (
        "Set llm.api_key to a valid key for llm.base_url, then restart the daemon.",
        "请将 llm.api_key 设为对 llm.base_url 有效的密钥，然后重启服务。",
    )
    lasts = True


class LlmQuota(LlmFailed):
    """The account at the LLM endpoint has nothing left to spend."""

    type = "llm_quota"
    message_zh = "大语言模型账户余额或额度已用完。"
    cure = ("Top up the account or raise its limit.", "请为账户充值，或提高其额度。")
    lasts = True


class LlmModel(LlmFailed):
    """The LLM endpoint knows no such model, or there is no endpoint at this address."""

    type = "llm_model"
    message_zh = "大语言模型接口没有这个模型，或该地址没有接口。"
    cure = (
        "Check llm.model and the other models against the endpoint's list, and that llm.base_url ends as its "
        "documents say, usually in /v1; then restart the daemon.",
        "请核对 llm.model 等模型名称是否在接口的模型列表中，并确认 llm.base_url 的结尾与其文档一致（通常为 /v1），"
        "然后重启服务。",
    )
    lasts = True


class LlmRateLimited(LlmFailed):
    """The LLM endpoint is asked too often."""

    type = "llm_rate_limited"
    message_zh = "对大语言模型接口的请求过于频繁。"
    cure = (
        "Lower llm.parallel_chunks, or raise the account's rate limit.",
        "请调小 llm.parallel_chunks，或提高账户的速率限制。",
    )
    passes = True


class LlmUnavailable(LlmFailed):
    """The LLM endpoint cannot be reached, fails, or takes longer than llm.timeout_s."""

    type = "llm_unavailable"
    message_zh = "无法访问大语言模型接口，或其出错，或超过 llm.timeout_s 仍未回答。"
    cure = (
        "Check that llm.base_url can be reached from this machine; a slow model needs a larger llm.timeout_s or a "
        "smaller llm.chunk_chars.",
        "请确认本机可以访问 llm.base_url；较慢的模型需要调大 llm.timeout_s 或调小 llm.chunk_chars。",
    )
    passes = True


class LlmGarbled(LlmFailed):
    """What the LLM endpoint sends is no answer."""

    type = "llm_garbled"
    message_zh = "大语言模型接口返回的内容不是有效的回答。"
    cure = (
        "Check that llm.base_url is the OpenAI-compatible address of the endpoint, not its web page.",
        "请确认 llm.base_url 是 OpenAI 兼容接口的地址，而不是网页地址。",
    )
    passes = True


class LlmRefused(LlmFailed):
    """The LLM endpoint refuses to answer this question."""

    type = "llm_refused"
    message_zh = "大语言模型接口拒绝回答这个问题。"
    cure = (
        "The endpoint may filter what such videos speak of; the log has its words. Another endpoint may answer.",
        "该接口可能过滤此类内容，其原话见日志；可换用其他接口。",
    )
