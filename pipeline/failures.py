"""What a stage can fail with: the task ends with one of these, or is tried again."""

from __future__ import annotations

import errno
from typing import ClassVar

from pipeline.errors import TranscribedError

ENDLESS = 1_000_000
"""Times that something is tried again which passes, and is not the task's fault."""
DISK_IS_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of the system, for the whole disk and for what one user may have of it."""


class StageFailed(TranscribedError):
    """The stage could not make its product."""

    message_zh = "这一步没有完成。"
    retries: ClassVar[int] = 0
    """How often this may be tried again by itself; ``scheduler.max_retries`` is the ceiling."""
    times_out: ClassVar[bool] = False
    """Whether a task that ends with this has the status ``timeout`` instead of ``failed``."""
    crashed: ClassVar[bool] = False
    """Whether what worked on the task died, perhaps of the task."""
    spoils: ClassVar[tuple[str, ...]] = ()
    """Products, by their field of ``Artifacts``, that the next attempt has to make anew."""

    def __init__(self, detail: str = "", *, wish_s: float | None = None) -> None:
        """Keep what is particular about this one, and for how many seconds the other side wants to be left alone."""
        super().__init__(detail)
        self.wish_s = wish_s
        self.stage: str | None = None
        """The stage it is of, if that is another than the one in hand."""


class SourceForbidden(StageFailed):
    """The site refuses access to this video."""

    type = "source_forbidden"
    message_zh = "网站拒绝访问这个视频。"
    cure = (
        "If the site wants you to sign in, give its cookies to the daemon (download.cookies_dir); or it is closed to "
        "this region.",
        "若网站要求登录，请提供其 cookies（download.cookies_dir）；也可能不对本地区开放。",
    )
    retries = 1


class SourceNotFound(StageFailed):
    """There is no video at this address."""

    type = "source_not_found"
    message_zh = "这个地址没有视频。"
    cure = (
        "Check the address; the video may have been removed.",
        "请检查地址，视频可能已被删除。",
    )


class SourceRateLimited(StageFailed):
    """The site asks to come back later."""

    type = "source_rate_limited"
    message_zh = "网站要求稍后再访问。"
    cure = ("Wait a while, then submit it again.", "请过一段时间再提交。")
    retries = 5


class SourceUnreachable(StageFailed):
    """The site cannot be reached or answers with an error of its own."""

    type = "source_unreachable"
    message_zh = "无法访问该网站，或网站自身出错。"
    cure = (
        "Check that the site works in a browser on this machine, then submit it again.",
        "请在本机浏览器中确认网站可用，然后重新提交。",
    )
    retries = 5


class SourceTimeout(StageFailed):
    """The site took too long to say what it has."""

    type = "source_timeout"
    message_zh = "网站用时过长，仍未说明该地址有什么内容。"
    cure = (
        "Check that the page opens in a browser on this machine, then submit it again.",
        "请在本机浏览器中确认页面可以打开，然后重新提交。",
    )
    retries = 1
    times_out = True


class SourceUnsupported(StageFailed):
    """No video was found at this address."""

    type = "source_unsupported"
    message_zh = "在这个地址没有找到视频。"
    cure = (
        "Give the address of a page with one video, or of a media file; a newer yt-dlp may know more sites.",
        "请给出单个视频页面或媒体文件的地址；新版 yt-dlp 可能支持更多网站。",
    )
    retries = 1


class LiveNotSupported(StageFailed):
    """This is a live stream, which has no end to wait for."""

    type = "live_not_supported"
    message_zh = "这是直播，没有结束点，无法转写。"
    cure = ("Submit the recording once the stream is over.", "请在直播结束后提交回放。")


class PlaylistNotAllowed(StageFailed):
    """This address holds several videos."""

    type = "playlist_not_allowed"
    message_zh = "这个地址包含多个视频。"
    cure = ("Submit the address of each video by itself.", "请逐个提交每个视频的地址。")


class DownloadTruncated(StageFailed):
    """The download ended before the file was complete."""

    type = "download_truncated"
    message_zh = "文件没有下载完整就中断了。"
    cure = ("Submit it again; if it stays so, the file on the site is damaged.",
            "请重新提交；若仍然如此，网站上的文件已损坏。")  # fmt: skip
    retries = 2
    spoils = ("file", "audio")


class DownloadTooLarge(StageFailed):
    """The file is larger than download.max_mb allows."""

    type = "download_too_large"
    message_zh = "文件超过 download.max_mb 的限制。"
    cure = ("Raise download.max_mb, or submit a smaller version.", "请调大 download.max_mb，或提交较小的版本。")


class DownloadTimeout(StageFailed):
    """The download took too long or stood still."""

    type = "download_timeout"
    message_zh = "下载超时或停滞。"
    cure = (
        "Try again later; slow sites need a larger download.timeout_s or download.stall_s.",
        "请稍后再试；较慢的网站需要调大 download.timeout_s 或 download.stall_s。",
    )
    times_out = True


class MediaInvalid(StageFailed):
    """The file is not audio or video that can be read."""

    type = "media_invalid"
    message_zh = "文件不是可读取的音频或视频。"
    cure = ("Check that the file plays in a media player.", "请确认文件可以在播放器中播放。")


class MediaNoAudio(StageFailed):
    """The video has no sound."""

    type = "media_no_audio"
    message_zh = "视频没有声音。"
    cure = ("Submit a version with an audio track.", "请提交带音轨的版本。")


class MediaTooLong(StageFailed):
    """The video is longer than download.max_duration_s allows."""

    type = "media_too_long"
    message_zh = "视频时长超过 download.max_duration_s 的限制。"
    cure = ("Raise download.max_duration_s, or submit it in parts.", "请调大 download.max_duration_s，或分段提交。")


class DecodeFailed(StageFailed):
    """The sound could not be decoded."""

    type = "decode_failed"
    message_zh = "音频解码失败。"
    cure = ("Check that the file plays in a media player.", "请确认文件可以在播放器中播放。")
    retries = 1


class DecodeTimeout(StageFailed):
    """Decoding the sound took too long or stood still."""

    type = "decode_timeout"
    message_zh = "音频解码超时或停滞。"
    cure = (
        "Check that the file plays to its end in a media player, and that this machine is not overloaded.",
        "请确认文件可以在播放器中完整播放，且本机没有过载。",
    )
    times_out = True


class ModelMissing(StageFailed):
    """The speech model is not on this machine and could not be fetched."""

    type = "model_missing"
    message_zh = "本机没有语音模型，也无法下载。"
    cure = (
        "Run 'python run_daemon.py models fetch NAME' where the hub, or a mirror (HF_ENDPOINT), answers; then retry.",
        "请在能访问模型站点或其镜像时运行 python run_daemon.py models fetch NAME，然后重试。",
    )


class ModelCorrupt(StageFailed):
    """The files of the speech model cannot be loaded, or are not what they were."""

    type = "model_corrupt"
    message_zh = "语音模型的文件无法加载，或已被改动。"
    cure = (
        "Run 'python run_daemon.py models fetch NAME'; put the files of a folder of your own back.",
        "请运行 python run_daemon.py models fetch NAME；自备的模型目录请恢复原文件。",
    )


class EngineFailed(StageFailed):
    """The recognizer could not do its work."""

    type = "gpu_error"
    message_zh = "识别引擎未能完成工作。"
    cure = (
        "Try again; if it stays so, see the log for the engine's last words.",
        "请重试；若仍然如此，请查看日志中引擎最后的输出。",
    )
    retries = 2


class EngineDied(EngineFailed):
    """The recognizer's process died in the middle of its work."""

    message_zh = "识别引擎的进程在工作中途崩溃。"
    crashed = True


class GpuOutOfMemory(StageFailed):
    """The device has not enough free memory for the speech model, even one chunk at a time."""

    type = "gpu_out_of_memory"
    message_zh = "设备的空闲内存不足以运行语音模型，逐段处理也不够。"
    cure = (
        "The task goes on by itself once there is room: end other programs that use the device, or name another model.",
        "有空闲内存后任务会自动继续：请结束占用该设备的其他程序，或换用较小的模型。",
    )
    retries = ENDLESS


class WorkerStalled(StageFailed):
    """The recognizer made no progress for longer than transcribe.stall_s."""

    type = "worker_stalled"
    message_zh = "识别引擎超过 transcribe.stall_s 没有进展。"
    cure = ("Try again; a slow machine needs a larger transcribe.stall_s or a smaller model.",
            "请重试；较慢的机器需要调大 transcribe.stall_s 或换用较小的模型。")  # fmt: skip
    retries = 2
    times_out = True


class WorkerCrashed(StageFailed):
    """What works on this recording dies of it again and again."""

    type = "worker_crashed"
    message_zh = "处理这个文件的进程屡次崩溃。"
    cure = (
        "Try another version or format of the recording; the log has the last words of what died.",
        "请换用该音视频的其他版本或格式；崩溃进程最后的输出见日志。",
    )


class TranscribeTimeout(StageFailed):
    """The transcription took longer than transcribe.max_factor allows for this length."""

    type = "transcribe_timeout"
    message_zh = "转写用时超过 transcribe.max_factor 对该时长的限制。"
    cure = ("Raise transcribe.max_factor, or use a smaller model.", "请调大 transcribe.max_factor，或换用较小的模型。")
    times_out = True


class DiskFull(StageFailed):
    """The disk is full."""

    type = "disk_full"
    message_zh = "磁盘已满。"
    cure = ("Free some space; the task then goes on by itself.", "请清理磁盘空间，任务随后会自动继续。")
    retries = ENDLESS


class InternalFailure(StageFailed):
    """An error on our side."""

    type = "internal"
    message_zh = "服务内部错误。"
    cure = ("The log names it under this task's id; please report it.", "日志中可按任务编号查到，请反馈给我们。")
    retries = 1


def stage_failures() -> dict[str, type[StageFailed]]:
    """Every failure a task can end with, by its ``type``."""
    return {cls.type: cls for cls in StageFailed.__subclasses__()}
