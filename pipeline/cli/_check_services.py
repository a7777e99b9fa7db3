"""Checks of the doctor: the speech models, the language model, the robots, and who may come in."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from pipeline.cli._finding import Finding, error, fine, warning
from pipeline.config import LlmSettings, Settings, exposure, is_loopback_host, not_in_effect
from pipeline.engine import model_fetch
from pipeline.engine.devices import find_devices
from pipeline.engine.model_record import ModelRecord
from pipeline.engine.models import local_folder, resolve_auto
from pipeline.errors import ConfigInvalid
from pipeline.failures import ModelMissing
from pipeline.keyring import has_made_tokens

ANSWER_S = 5.0
WECOM = "qyapi.weixin.qq.com"


def check_config(settings: Settings) -> Iterator[Finding]:
    """Look for what a valid configuration may still lack."""
    idle = not_in_effect(settings)
    if idle:
        yield warning(
            "config",
            (f"without effect in this version: {', '.join(idle)}", f"在此版本中无效：{'、'.join(idle)}"),
            ("Take them out, or wait for a newer version.", "请删除这些配置项，或等待新版本。"),
        )
    else:
        yield fine("config", "valid", "有效")
    for problem in exposure(settings, has_made_tokens):
        english, _, chinese = problem.partition(" · ")
        cure = "python run_daemon.py token new NAME"
        yield error("token", (english, chinese), (cure, cure))


def check_models(settings: Settings) -> Iterator[Finding]:
    """See whether the speech models that the configuration names are here."""
    try:
        devices = find_devices(settings.transcribe.device, settings.scheduler.max_tasks_per_gpu)
    except ConfigInvalid as invalid:
        english, _, chinese = invalid.problems[0].partition(" · ")
        cure = "Set transcribe.device to auto.", "请将 transcribe.device 设为 auto。"
        yield error("device", (english, chinese), cure)
        return
    yield fine("device", ", ".join(device.name for device in devices))
    record = ModelRecord(settings.storage.dir)
    for wanted in dict.fromkeys((settings.transcribe.model, *settings.transcribe.models)):
        yield _check_model(resolve_auto(wanted, devices), record)


def _check_model(name: str, record: ModelRecord) -> Finding:
    try:
        return fine("model", f"{name}: {local_folder(name) or model_fetch.cached(name, record.revision(name))}")
    except ModelMissing:
        command = f"python run_daemon.py models fetch {name}"
        return warning(
            "model",
            (f"{name} is not here; it is fetched when it is first needed", f"本机没有 {name}，首次使用时下载"),
            (f"To have it before: {command}", f"提前下载：{command}"),
        )


def check_llm(settings: Settings) -> Iterator[Finding]:
    """Ask the endpoint of the language model for its models; nothing is spent by that."""
    llm = settings.llm
    if not llm.base_url:
        yield fine("llm", "none configured, texts are made without", "未配置，文本由内置规则生成")
        return
    try:
        listed = _list_models(llm)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        yield _check_refusal(llm, refusal.code)
    except (OSError, HTTPException, ValueError) as reason:
        said = getattr(reason, "reason", reason)
        yield error(
            "llm",
            (f"{llm.base_url} does not answer: {said}", f"{llm.base_url} 没有应答：{said}"),
            (
                "Check llm.base_url, and that its server runs; until then texts are made without it.",
                "请检查 llm.base_url 以及该服务是否运行；在此之前文本由内置规则生成。",
            ),
        )
    else:
        yield _check_listed(llm, listed)


def _list_models(llm: LlmSettings) -> set[str]:
    key = llm.api_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(f"{llm.base_url.rstrip('/')}/models", headers=headers)  # noqa: S310 - http(s), checked
    # As the daemon does it: a proxy of the environment leads out of this machine.
    is_local = is_loopback_host(urlsplit(llm.base_url).hostname or "")
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_local else []))
    with opener.open(request, timeout=ANSWER_S) as answer:
        said: Any = json.load(answer)
    try:
        return {model["id"] for model in said["data"]}
    except (KeyError, TypeError):
        return set()


def _check_refusal(llm: LlmSettings, status: int) -> Finding:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return error(
            "llm",
            (
                f"{llm.base_url} does not accept llm.api_key (HTTP {status})",
                f"{llm.base_url} 不接受 llm.api_key（HTTP {status}）",
            ),
            ("Put a valid key into llm.api_key.", "请在 llm.api_key 中填写有效的密钥。"),
        )
    if status == HTTPStatus.NOT_FOUND:
        return fine("llm", f"{llm.base_url} answers", f"{llm.base_url} 有应答")  # not all can list their models
    return warning(
        "llm",
        (f"{llm.base_url} answers with HTTP {status}", f"{llm.base_url} 返回 HTTP {status}"),
        (
            "See what its provider says; texts are made without it meanwhile.",
            "请查看服务商的说明；期间文本由内置规则生成。",
        ),
    )


def _check_listed(llm: LlmSettings, listed: set[str]) -> Finding:
    wanted = {name for name in (llm.model, llm.proofread_model, llm.summary_model, *llm.fallback_models) if name}
    unknown = sorted(wanted - listed)
    if listed and unknown:
        names = ", ".join(unknown)
        return warning(
            "llm",
            (f"{llm.base_url} answers, but does not list {names}", f"{llm.base_url} 有应答，但列表中没有 {names}"),
            (f"It lists: {', '.join(sorted(listed)[:10])}", f"可用模型：{'、'.join(sorted(listed)[:10])}"),
        )
    return fine("llm", f"{llm.base_url} answers", f"{llm.base_url} 有应答")


def check_robots(settings: Settings) -> Iterator[Finding]:
    """Look at the form of the robots' addresses; nothing is sent."""
    if not settings.wechat.robots:
        yield fine("wecom", "no robot configured, messages stay in the inbox", "未配置机器人，消息保存在收件箱")
    for robot in settings.wechat.robots:
        address = urlsplit(robot.url.get_secret_value())
        if address.hostname == WECOM and address.path == "/cgi-bin/webhook/send" and "key=" in address.query:
            yield fine(
                "wecom", f"{robot.name}: the address has the form of a WeCom robot's", f"{robot.name}：地址格式正确"
            )
        else:
            yield warning(
                "wecom",
                (f"{robot.name}: the address is not WeCom's", f"{robot.name}：不是企业微信的地址"),
                (
                    f"Copy it from the robot's group; it begins with https://{WECOM}/cgi-bin/webhook/send",
                    f"请从群中复制机器人地址，其开头为 https://{WECOM}/cgi-bin/webhook/send",
                ),
            )
