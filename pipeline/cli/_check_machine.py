"""Checks of the doctor: the machine, the data folder, the port."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import socket
import sqlite3
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path

from pipeline.cli._finding import Finding, error, fine, warning
from pipeline.config import Settings
from pipeline.engine.cublas import load_cublas
from pipeline.engine.cuda_driver import find_cards
from pipeline.engine.devices import driver_version

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""
SOUND_SQLITE = (3, 51, 3)
"""The first in which a journal that is begun anew cannot be mistaken by a second writer."""
OLDEST_CUDA = 12
SCARCE = 5
"""Free space under so many times the floor is worth a warning."""
GIB = 1024**3
ANSWER_S = 3.0


def check_python(_: Settings) -> Iterator[Finding]:
    """Look at the interpreter and at SQLite."""
    if sys.version_info < OLDEST_PYTHON:
        yield error(
            "python",
            (f"Python {platform.python_version()} is too old", f"Python {platform.python_version()} 版本过低"),
            (
                "Install Python 3.11 or newer, delete .venv, run 'make run'.",
                "请安装 Python 3.11 或更新版本，删除 .venv 后运行 make run。",
            ),
        )
    else:
        yield fine("python", f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield error(
            "sqlite",
            (f"SQLite {sqlite3.sqlite_version} is too old", f"SQLite {sqlite3.sqlite_version} 版本过低"),
            ("Use a Python that brings SQLite 3.37 or newer.", "请使用自带 SQLite 3.37 或更新版本的 Python。"),
        )
    elif sqlite3.sqlite_version_info < SOUND_SQLITE:
        yield warning(
            "sqlite",
            (
                f"SQLite {sqlite3.sqlite_version} can damage a database that two programs write at the same time",
                f"SQLite {sqlite3.sqlite_version} 在两个程序同时写入时可能损坏数据库",
            ),
            (
                "The daemon alone is safe; let no other program write to its database, or use a Python that brings "
                "SQLite 3.51.3 or newer.",
                "仅由服务写入时是安全的：请勿让其他程序写入其数据库，或使用自带 SQLite 3.51.3 或更新版本的 Python。",
            ),
        )
    else:
        yield fine("sqlite", f"SQLite {sqlite3.sqlite_version}")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Look for room where the data folder is or will be."""
    floor_gib = settings.storage.min_free_gb
    free_gib = shutil.disk_usage(_existing(settings.storage.dir)).free / GIB
    told = f"{free_gib:.1f} GB free for {settings.storage.dir}", f"{settings.storage.dir} 剩余 {free_gib:.1f} GB"
    cure = (
        f"Free some space: under {floor_gib:g} GB (storage.min_free_gb) no download is started.",
        f"请清理磁盘：低于 {floor_gib:g} GB（storage.min_free_gb）时不会开始下载。",
    )
    if free_gib < floor_gib:
        yield error("disk", told, cure)
    elif free_gib < SCARCE * floor_gib:
        yield warning("disk", told, cure)
    else:
        yield fine("disk", *told)


def check_folders(settings: Settings) -> Iterator[Finding]:
    """See whether data and log can be written, and whether the data is private."""
    for name, folder in (("data", settings.storage.dir), ("log", settings.log.file.absolute().parent)):
        if not os.access(_existing(folder), os.R_OK | os.W_OK | os.X_OK):
            yield error(
                name,
                (f"{folder} cannot be written by this user", f"当前用户无法写入 {folder}"),
                (
                    f"Give it to the user that runs the daemon (sudo chown -R USER {folder}), or become that user.",
                    f"请将目录交给运行服务的用户（sudo chown -R USER {folder}），或切换到该用户。",
                ),
            )
        elif name == "data" and folder.exists() and folder.stat().st_mode & 0o077:
            yield warning(
                name,
                (f"{folder} can be read by other users", f"其他用户可以读取 {folder}"),
                (f"chmod 700 {folder}", f"chmod 700 {folder}"),
            )
        else:
            yield fine(name, f"{folder.absolute()}")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


_PORT_CURES: Mapping[int | None, tuple[str, str]] = {
    errno.EADDRINUSE: (
        "Stop the program that has it (ss -ltnp names it), or set another api.port.",
        "请停止占用该端口的程序（ss -ltnp 可查看），或更换 api.port。",
    ),
    errno.EACCES: ("Set an api.port from 1024 on.", "请将 api.port 设为 1024 或更大的端口。"),
}
_HOST_CURE = (
    "Set api.host to an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all that can reach it.",
    "请将 api.host 设为本机的地址：127.0.0.1 仅本机可访问，0.0.0.0 允许其他机器访问。",
)


def check_port(settings: Settings) -> Iterator[Finding]:
    """See whether the daemon answers, or whether it could listen."""
    api = settings.api
    url = _announced(settings)
    if url and _is_alive(url):
        yield fine("port", f"the daemon answers at {url}", f"服务正在 {url} 运行")
        return
    try:
        family, _, _, _, address = socket.getaddrinfo(api.host, api.port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()  # of IP: host and port come first
    except OSError as reason:
        yield error(
            "port",
            (f"cannot listen at {api.host} port {api.port}: {reason.strerror}", f"无法监听 {api.host} 端口 {api.port}"),
            _PORT_CURES.get(reason.errno, _HOST_CURE),
        )
    else:
        yield fine("port", f"{api.host} port {api.port} is free" if api.port else "a free port is picked at start")


def _announced(settings: Settings) -> str | None:
    try:
        return str(json.loads((settings.storage.dir / "daemon.json").read_bytes())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"{url}/livez", timeout=ANSWER_S).close()
    except (OSError, HTTPException, ValueError):
        return False
    return True


def check_gpu(settings: Settings) -> Iterator[Finding]:
    """Look for NVIDIA's driver and, only where there is one, for cuBLAS of CUDA 12."""
    driver = driver_version()
    if settings.transcribe.device == "cpu":
        yield fine("gpu", "not used: transcribe.device is cpu", "未使用：transcribe.device 为 cpu")
    elif driver is None and Path("/proc/driver/nvidia").exists():
        yield warning(
            "gpu",
            ("the NVIDIA driver does not answer, the CPU is used", "NVIDIA 驱动没有应答，将使用 CPU"),
            (
                "See what nvidia-smi says; after an update of the driver, restart.",
                "请查看 nvidia-smi 的输出；更新驱动后需重启。",
            ),
        )
    elif driver is None and (cards := find_cards()):
        names = ", ".join(card.name for card in cards)
        yield warning(
            "gpu",
            (
                f"{names}: NVIDIA's management library is missing; what other programs take of it is not seen",
                f"{names}：缺少 NVIDIA 管理库，无法得知其他程序占用的显存",
            ),
            (
                "In a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility.",
                "容器请设置 NVIDIA_DRIVER_CAPABILITIES=compute,utility。",
            ),
        )
        yield from _check_cublas()
    elif driver is None:
        yield fine("gpu", "none found, the CPU is used", "未找到显卡，将使用 CPU")
    else:
        yield from _check_cuda(*driver)


def _check_cuda(driver: str, cuda: int) -> Iterator[Finding]:
    if cuda < OLDEST_CUDA:
        yield error(
            "gpu",
            (f"driver {driver} knows CUDA {cuda} only", f"驱动 {driver} 仅支持 CUDA {cuda}"),
            ("Install a driver of version 525 or newer.", "请安装 525 或更新版本的驱动。"),
        )
        return
    yield fine("gpu", f"NVIDIA driver {driver}, CUDA {cuda}")
    yield from _check_cublas()


def _check_cublas() -> Iterator[Finding]:
    if load_cublas():
        yield fine("cublas", "cuBLAS of CUDA 12 is here", "已安装 CUDA 12 的 cuBLAS")
        return
    install = '.venv/bin/python -m pip install "nvidia-cublas-cu12>=12.9,<13"'
    yield error(
        "cublas",
        ("cuBLAS of CUDA 12 is not found, the GPU cannot be used", "找不到 CUDA 12 的 cuBLAS，无法使用显卡"),
        (f"{install}, then restart the daemon.", f"{install}，然后重启服务。"),
    )
