"""The settings, section by section: every key with its type, range, default and one sentence about it.

`docs/configuration.md` and the JSON Schema are made from this file.
Numbers are as strict as JSON: no booleans, no text, no NaN.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from pipeline.config.values import (
    AllowedHosts,
    Device,
    Host,
    HttpAddress,
    Language,
    Name,
    Names,
    PathValue,
    Ports,
    ProxyAddress,
    RobotAddress,
    RobotName,
    Runtimes,
    Secret,
    Secrets,
    Text,
    TimeZone,
    Tokens,
    as_robots,
    expected,
)

SECRET_KEYS = frozenset(
    {
        "api.auth_token",
        "download.proxy",
        "llm.api_key",
        "notify.callback_secret",
        "notify.channels",
        "wechat.webhook",
    }
)
"""Keys whose value is never shown."""


class Section(BaseModel):
    """One object of the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ApiSettings(Section):
    """Where the daemon listens and who may talk to it."""

    host: Host = Field(
        "127.0.0.1", description="Address to listen on; another than this machine's own needs a token that you set."
    )
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 picks a free one.")
    auth_token: Tokens = Field(
        (),
        json_schema_extra={"default": ""},
        description=(
            "Token that callers send, or a list of several, each of printable ASCII characters, at least 8 of them if "
            "api.host is open to other machines; empty: one is made at first start and kept in the data folder."
        ),
    )
    max_body_mb: int = Field(1, ge=1, le=1024, description="Largest JSON body of a request, in MiB.")
    max_upload_mb: int = Field(2048, ge=1, le=1_048_576, description="Largest file that may be uploaded, in MiB.")

    @property
    def tokens(self) -> tuple[SecretStr, ...]:
        """The configured tokens; none when one is to be made."""
        return self.auth_token


class ConcurrentSettings(Section):
    """How many videos are taken at a time."""

    max_workers: int = Field(3, ge=1, le=256, description="Videos that are downloaded and prepared at the same time.")
    queue_size: int = Field(
        10,
        ge=0,
        le=100_000,
        description="Videos that may wait beyond these before a submit is answered with 429.",
    )


class DownloadSettings(Section):
    """What may be downloaded, from where, and how long it may take."""

    timeout_s: float = Field(1800, ge=0.1, le=86_400, description="Longest time one download may take, in seconds.")
    stall_s: float = Field(60, ge=0.1, le=3600, description="Longest time without a new byte, in seconds.")
    max_mb: int = Field(4096, ge=1, le=1_048_576, description="Largest file that is downloaded, in MiB.")
    max_duration_s: float = Field(21_600, ge=1, le=604_800, description="Longest video that is taken, in seconds.")
    captions: Literal["prefer", "any", "human_only", "never"] = Field(
        "prefer",
        description=(
            "Use of the platform's captions: prefer takes a human track in the original language, any also machine "
            "tracks and other languages, human_only fails without a human track, never always transcribes."
        ),
    )
    allow_hosts: AllowedHosts = Field(
        (),
        description="CIDR, address:port or host names that may be reached although they are private or local.",
    )
    allow_ports: Ports = Field((80, 443, 8080, 8443), description="TCP ports that addresses of a request may name.")
    cookies_dir: Text = Field(
        "", description="Folder with a file DOMAIN.txt of cookies, in Netscape's format, for each site; empty: none."
    )
    proxy: ProxyAddress = Field(
        SecretStr(""),
        json_schema_extra={"default": ""},
        description="Address of the proxy for downloads, with http://, https:// or socks5://; empty: none.",
    )
    js_runtimes: Runtimes = Field(
        ("deno", "node"),
        description="JavaScript runtimes that yt-dlp may use, best first: deno, node, bun or quickjs, or NAME:PATH.",
    )


class TranscribeSettings(Section):
    """The speech model and how it is run."""

    model: Name = Field(
        "auto",
        description=(
            "Speech model: a name, a folder, demo for the bundled one, or auto, which is large-v3-turbo with 6 GB "
            "of GPU memory or more and otherwise small."
        ),
    )
    models: Names = Field((), description="Further speech models that a request may name.")
    device: Device = Field("auto", description="Where the model runs: auto, cpu, cuda or cuda:N.")
    compute_type: Literal[
        "auto", "default", "int8", "int8_float32", "int8_float16", "int8_bfloat16",
        "int16", "float16", "bfloat16", "float32",
    ] = Field("auto", description="Kind of numbers the model computes with.")  # fmt: skip
    language: Language = Field(
        "auto", description="Language of the speech when a request names none; auto listens to find out."
    )
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1, le=128)] = Field(
        "auto", description="Chunks of speech that are recognized together; auto goes by the device's memory."
    )
    script: Literal["simplified", "traditional", "keep"] = Field(
        "simplified", description="Chinese characters of the delivered text; keep leaves them as recognized."
    )
    idle_unload_s: float = Field(
        300, ge=0, le=604_800, description="Seconds without work after which a model leaves memory; 0: never."
    )
    stall_s: float = Field(
        120, ge=0.1, le=3600, description="Seconds without a new segment after which the recognizer counts as hung."
    )
    max_factor: float = Field(
        3.0,
        ge=0.1,
        le=1000,
        description="Longest time for a transcription, in lengths of the video, but never under 600 seconds.",
    )


class SchedulerSettings(Section):
    """When work is given to a device and how often it is tried."""

    batch_schedule_interval_s: float = Field(
        2, ge=0.05, le=60, description="Seconds after which the scheduler looks again even if nothing happened."
    )
    performance_monitor_interval_s: float = Field(
        30, ge=0.1, le=3600, description="Seconds between two records of queue, running tasks and load."
    )
    gpu_monitor_interval_s: float = Field(
        5, ge=0.1, le=3600, description="Seconds between two readings of the devices."
    )
    batch_timeout_s: float = Field(
        5, ge=0, le=600, description="Seconds a task waits at most for others to start together with it."
    )
    min_batch_size: int = Field(1, ge=1, le=64, description="Tasks of one model that start together if they can.")
    max_batch_size: int = Field(3, ge=1, le=64, description="Most tasks of one model that start together.")
    memory_safety_margin: float = Field(
        0.10, ge=0, le=0.9, description="Share of a device's memory that is never given away."
    )
    min_free_gb: float = Field(
        1.0, ge=0, le=1024, description="Memory of a device that stays free after a start at least, in GB."
    )
    max_tasks_per_gpu: int = Field(3, ge=1, le=64, description="Tasks that run on one device at the same time.")
    max_retries: int = Field(
        3, ge=0, le=100, description="Most times a failed step is tried again; a fault may allow fewer."
    )
    retry_delay_s: float = Field(
        5, ge=0, le=900, description="Seconds before the first new try; each further one waits longer, at most 900."
    )

    @model_validator(mode="after")
    def _batch_sizes_in_order(self) -> Self:
        if self.min_batch_size > self.max_batch_size:
            raise expected(
                f"a number not above scheduler.max_batch_size, which is {self.max_batch_size}",
                f"不大于 scheduler.max_batch_size（{self.max_batch_size}）的数",
                "scheduler.min_batch_size",
                "scheduler.max_batch_size",
            )
        return self


class LlmSettings(Section):
    """The language model that proofreads, summarizes and translates; any OpenAI-compatible endpoint."""

    base_url: HttpAddress = Field("", description="Address of the endpoint; empty: the built-in offline text stage.")
    api_key: Secret = Field(
        SecretStr(""), json_schema_extra={"default": ""}, description="Key for the endpoint; empty: none is sent."
    )
    model: Text = Field("", description="Model that is asked when no other key names one.")
    proofread_model: Text = Field("", description="Model that proofreads; empty: llm.model.")
    summary_model: Text = Field("", description="Model that summarizes; empty: llm.model.")
    translate_model: Text = Field("", description="Model that translates; empty: llm.model.")
    fallback_models: Names = Field((), description="Models that are asked in this order when the first one fails.")
    queue_size: int = Field(
        100, ge=1, le=100_000, description="Transcripts that wait in memory for the text stage; more wait in the store."
    )
    timeout_s: float = Field(
        300,
        ge=0.1,
        le=3600,
        description="Longest time for one answer, in seconds, with everything that is tried for it; an endpoint that "
        "is silent for half of it is asked again.",
    )
    max_retries: int = Field(
        2, ge=0, le=20, description="Times a model is asked again after a failure that may pass, within llm.timeout_s."
    )
    parallel_chunks: int = Field(4, ge=1, le=64, description="Chunks of one video that are asked about side by side.")
    chunk_chars: int = Field(3000, ge=200, le=100_000, description="Length of a chunk, in characters.")
    min_summary_chars: int = Field(
        500, ge=0, le=1_000_000, description="Length under which a text gets no summary, in characters."
    )
    glossary: Names = Field((), description="Names and terms that the model is told to spell this way.")

    @model_validator(mode="after")
    def _has_models(self) -> Self:
        if self.base_url and not (self.model or (self.proofread_model and self.summary_model)):
            raise expected(
                "the name of a model, because llm.base_url is set",
                "模型名称，因为已设置 llm.base_url",
                "llm.model",
                "llm.base_url",
                "llm.proofread_model",
                "llm.summary_model",
            )
        return self


class RobotSettings(Section):
    """A group robot of WeCom."""

    name: RobotName = Field(
        description="Name of the robot in requests and lists: 1 to 64 letters, digits, Chinese characters or _ . -"
    )
    url: RobotAddress = Field(description="Address of the robot's webhook.")


def _named_once(robots: tuple[RobotSettings, ...]) -> tuple[RobotSettings, ...]:
    names = [robot.name for robot in robots]
    if len(set(names)) < len(names):
        raise expected("robots with a different name each", "名称各不相同的机器人")
    return robots


class WechatSettings(Section):
    """Delivery to WeChat."""

    webhook: Annotated[
        tuple[RobotSettings, ...],
        Field(strict=False),
        AfterValidator(_named_once),
        BeforeValidator(as_robots, json_schema_input_type=Secret | list[RobotSettings]),
    ] = Field(
        (),
        json_schema_extra={"default": ""},
        description="Address of a WeCom group robot, or a list of robots; empty: messages stay in the inbox.",
    )
    allow_request_webhook: bool = Field(
        default=False, description="Whether a request may bring the address of a robot of its own."
    )
    per_minute: int = Field(
        18,
        ge=1,
        le=100_000,
        description="Messages that one robot is sent in 60 seconds; WeCom itself refuses more than 20.",
    )
    notify: Literal["all", "final", "none"] = Field(
        "final",
        description="What is sent: final is the text, or one notice of failure; all adds a notice for each step; "
        "none is nothing, the text is then fetched through the API.",
    )
    long_text_as_file_over: int = Field(
        10, ge=1, le=1000, description="Number of parts beyond which a robot gets the full text as one file."
    )
    language: Literal["zh", "en"] = Field("zh", description="Language of the words around a text.")

    @property
    def robots(self) -> tuple[RobotSettings, ...]:
        """The configured robots; none: messages stay in the inbox."""
        return self.webhook


class NotifySettings(Section):
    """Further places that are told about a task."""

    channels: Secrets = Field((), description="Apprise addresses that get the messages too.")
    callback_secret: Secret = Field(
        SecretStr(""),
        json_schema_extra={"default": ""},
        description="Secret that signs callbacks to the address in a request; empty: no signature.",
    )


class WebSettings(Section):
    """What readers of messages and pages see."""

    base_url: HttpAddress = Field(
        "", description="Address under which readers reach this daemon, for links in messages; empty: no links."
    )
    timezone: TimeZone = Field("Asia/Shanghai", description="Time zone of the times shown to readers.")


class StorageSettings(Section):
    """What is kept, where and for how long."""

    dir: PathValue = Field(Path("data"), description="Data folder, relative to the working directory.")
    result_days: int = Field(360, ge=1, le=36_500, description="Days a text is kept after its task has finished.")
    task_days: int = Field(
        180, ge=1, le=36_500, description="Days a task is listed after it has finished; one without a text then goes."
    )
    keep_media: bool = Field(
        default=False, description="Whether media and audio stay when the transcript of a task is stored."
    )
    min_free_gb: float = Field(
        1.0, ge=0, le=1_000_000, description="Free disk space under which no new download is started, in GB."
    )


class LogSettings(Section):
    """The daemon's own record of what it does."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level written.")
    file: PathValue = Field(
        Path("data/logs/daemon.jsonl"), description="File of JSON lines, relative to the working directory."
    )
    max_mb: int = Field(10, ge=1, le=1024, description="Size at which the file is rotated, in MiB.")
    backups: int = Field(5, ge=1, le=100, description="Rotated files that are kept.")


class Settings(Section):
    """Everything that can be configured, read once and never changed."""

    api: ApiSettings = ApiSettings()
    concurrent: ConcurrentSettings = ConcurrentSettings()
    download: DownloadSettings = DownloadSettings()
    transcribe: TranscribeSettings = TranscribeSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    llm: LlmSettings = LlmSettings()
    wechat: WechatSettings = WechatSettings()
    notify: NotifySettings = NotifySettings()
    web: WebSettings = WebSettings()
    storage: StorageSettings = StorageSettings()
    log: LogSettings = LogSettings()
