"""What a request can be answered with instead of its result; nothing is stored then."""

from __future__ import annotations

from typing import Any, ClassVar

from pipeline.errors import TranscribedError


class Refusal(TranscribedError):
    """The request was refused."""

    message_zh = "请求被拒绝。"
    status: ClassVar[int] = 400

    def __init__(
        self,
        detail: str = "",
        *,
        param: str | None = None,
        retry_after: int | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Say what was refused.

        Args:
            detail: what exactly is wrong with it.
            param: dotted name of the field or query parameter at fault.
            retry_after: seconds after which the same request may succeed.
            more: further machine-readable facts for ``error.detail``.
        """
        super().__init__(detail)
        self.param = param
        self.retry_after = retry_after
        self.more = more or {}


class InvalidJson(Refusal):
    """The body is not valid JSON in UTF-8."""

    type, status = "invalid_json", 400
    message_zh = "请求体不是有效的 UTF-8 JSON。"


class InvalidBody(Refusal):
    """The request cannot be read as this route needs it."""

    type, status = "invalid_body", 400
    message_zh = "请求的形式不符合该接口的要求。"


class Unauthorized(Refusal):
    """A valid bearer token is needed: send the header 'Authorization: Bearer <token>'."""

    type, status = "unauthorized", 401
    message_zh = "需要有效的令牌：请带上请求头 Authorization: Bearer <token>。"


class NotFound(Refusal):
    """There is nothing here under this name."""

    type, status = "not_found", 404
    message_zh = "没有找到。"


class MethodNotAllowed(Refusal):
    """This route does not take this method."""

    type, status = "method_not_allowed", 405
    message_zh = "该接口不支持这个方法。"


class NotAcceptable(Refusal):
    """The expectation in the request's headers cannot be met."""

    type, status = "not_acceptable", 417
    message_zh = "无法满足请求头中的要求。"


class Conflict(Refusal):
    """The task is in a state that does not allow this."""

    type, status = "conflict", 409
    message_zh = "任务当前的状态不允许此操作。"


class IdempotencyConflict(Refusal):
    """This Idempotency-Key came with another body before; make a new key for each new request."""

    type, status = "idempotency_conflict", 409
    message_zh = "这个 Idempotency-Key 已用于内容不同的请求；请为每个新请求换用新的键。"


class NotReady(Refusal):
    """This text is not ready yet: ask again later, or use ?wait= on the task."""

    type, status = "not_ready", 409
    message_zh = "文本还没有准备好：请稍后再取，或在任务接口上使用 ?wait=。"


class Expired(Refusal):
    """The text of this task is older than storage.result_days and was removed."""

    type, status = "expired", 410
    message_zh = "该任务的文本已超过 storage.result_days 规定的天数，已被删除。"


class LayerAbsent(Refusal):
    """This task has no such layer: it is disabled, was skipped or failed."""

    type, status = "layer_absent", 404
    message_zh = "该任务没有这一层文本：未启用、已跳过或失败。"


class BodyTooLarge(Refusal):
    """The body is larger than api.max_body_mb allows, or a file in it larger than api.max_upload_mb."""

    type, status = "body_too_large", 413
    message_zh = "请求体超过 api.max_body_mb 的限制，或其中的文件超过 api.max_upload_mb 的限制。"


class UnsupportedMediaType(Refusal):
    """Send the body as application/json in UTF-8, or a file as multipart/form-data, without a content encoding."""

    type, status = "unsupported_media_type", 415
    message_zh = "请以 application/json（UTF-8）发送请求体，或以 multipart/form-data 上传文件；不要压缩。"


class UnknownField(Refusal):
    """This field is not known here."""

    type, status = "unknown_field", 422
    message_zh = "未知的字段。"


class InvalidValue(Refusal):
    """This value cannot be used here."""

    type, status = "invalid_value", 422
    message_zh = "这个值不能用在这里。"


class ModelUnavailable(Refusal):
    """This model is not named in the configuration; see transcribe.model and transcribe.models."""

    type, status = "model_unavailable", 422
    message_zh = "配置中没有这个模型，请见 transcribe.model 与 transcribe.models。"


class QueueFull(Refusal):
    """The queue is full; try again after the time in Retry-After."""

    type, status = "queue_full", 429
    message_zh = "队列已满，请在 Retry-After 指定的时间之后再试。"


class RateLimited(Refusal):
    """Too many requests with a wrong token came from this address; try again after the time in Retry-After."""

    type, status = "rate_limited", 429
    message_zh = "来自该地址的错误令牌过多，请在 Retry-After 指定的时间之后再试。"


class ShuttingDown(Refusal):
    """The daemon is stopping and takes no new work; try again shortly."""

    type, status = "shutting_down", 503
    message_zh = "服务正在停止，暂不接受新任务，请稍后再试。"


class NoSpace(Refusal):
    """The disk is full, so nothing new can be stored; free some space and try again."""

    type, status = "disk_full", 503
    message_zh = "磁盘已满，无法保存新的任务；请清理空间后再试。"


class DbBusy(Refusal):
    """The store is busy; try again shortly."""

    type, status = "db_busy", 503
    message_zh = "数据库繁忙，请稍后再试。"


class Internal(Refusal):
    """An error on our side; the log names it under this request_id."""

    type, status = "internal", 500
    message_zh = "服务内部错误；日志中可按 request_id 查到。"


class UrlRefused(Refusal):
    """This address cannot be used."""

    type, status = "url_malformed", 422
    message_zh = "这个地址不能使用。"


class UrlMalformed(UrlRefused):
    """This is not a well-formed web address."""

    type = "url_malformed"
    message_zh = "这不是一个格式正确的网址。"


class UrlScheme(UrlRefused):
    """Only addresses that begin with http:// or https:// are taken."""

    type = "url_scheme"
    message_zh = "只接受以 http:// 或 https:// 开头的地址。"


class UrlPort(UrlRefused):
    """This port is not among download.allow_ports."""

    type = "url_port"
    message_zh = "这个端口不在 download.allow_ports 之中。"


class UrlCredentials(UrlRefused):
    """An address with a user name or password in it is not taken."""

    type = "url_credentials"
    message_zh = "不接受带有用户名或密码的地址。"


class UrlTooLong(UrlRefused):
    """The address is longer than 2048 characters."""

    type = "url_too_long"
    message_zh = "地址超过 2048 个字符。"


class UrlForbiddenAddress(UrlRefused):
    """This address is private, local or reserved; download.allow_hosts can allow it."""

    type = "url_forbidden_address"
    message_zh = "这是内网、本机或保留地址；可在 download.allow_hosts 中放行。"


class UrlForbiddenHost(UrlRefused):
    """This host name is local or for special use; download.allow_hosts can allow it."""

    type = "url_forbidden_host"
    message_zh = "这是本地或特殊用途的主机名；可在 download.allow_hosts 中放行。"
