"""The composition root: the whole machine on one page.

This is the only file that knows both packages, ``pipeline`` (the house) and ``stages`` (what is done to a video).
``run_daemon.py`` imports it when the daemon is to run, and for no other command.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import secrets
import signal

import aiohttp
import structlog

from pipeline import __version__
from pipeline.backup_desk import BackupDesk
from pipeline.bridge import Bridge
from pipeline.child import Zygote
from pipeline.cli import FAILED, FINE
from pipeline.cli.commands import LoadSettings
from pipeline.config import Live, Settings, not_in_effect, secrets_of
from pipeline.control import Control
from pipeline.core.device import Device
from pipeline.data_folder import DataFolder
from pipeline.dispatcher import Dispatcher, Wakers
from pipeline.engine.device_host import hosts_of
from pipeline.engine.devices import MachineProbe, find_devices
from pipeline.engine.fleet import Fleet
from pipeline.engine.local import ASR_HOST, LocalEngine
from pipeline.engine.model_record import ModelRecord
from pipeline.engine.models import ModelShelf, Stock, resolve_auto
from pipeline.errors import ConfigInvalid, DataFolderUnusable
from pipeline.events import EventBus
from pipeline.executor import Executor
from pipeline.heartbeat import Heartbeat
from pipeline.house import House
from pipeline.http.deps import Deps, Missing
from pipeline.http.server import HttpServer
from pipeline.intake import Intake
from pipeline.keyring import Keyring
from pipeline.llm import Llm
from pipeline.log import set_level, set_up
from pipeline.monitor import Monitor
from pipeline.outbox import Outbox
from pipeline.ports import Channel
from pipeline.progress_board import ProgressBoard
from pipeline.redaction import hide
from pipeline.reload import Reload
from pipeline.rescuer import Rescuer
from pipeline.retention import Retention
from pipeline.roster import Roster
from pipeline.service import LoopDied, Service, Watch, run_services
from pipeline.store.sqlite import SqliteStore
from pipeline.systemd import tell_systemd
from pipeline.text_lane import TextLane
from pipeline.workers import Throttle, Workers
from stages.channels.inbox import Inbox
from stages.channels.wecom import WecomRobot
from stages.route import ROUTE

log = structlog.get_logger()

SAME_STOP_S = 0.2
"""Signals that come within so many seconds are one wish to stop: `make` hands on what its whole group got."""


def serve(load: LoadSettings, recognizer: str = ASR_HOST) -> int:
    """Hold the data folder and run the daemon until it is told to stop.

    Args:
        load: reads the configuration, now and whenever it is to be read again.
        recognizer: the module that runs as each device's process and speaks the protocol of ``asr_host``.
    """
    gc.disable()  # until every part is made: nothing of them is ever garbage
    settings = load()
    with DataFolder(settings.storage.dir) as folder:
        for secret in secrets_of(settings):
            hide(secret)
        _open_log(settings)
        keyring = Keyring.open(settings)
        idle = not_in_effect(settings)
        if idle:
            log.warning("not in effect yet", keys=idle)
        try:
            asyncio.run(_run(settings, load, folder, keyring, recognizer))
        except LoopDied as died:
            if isinstance(died.__cause__, DataFolderUnusable):
                raise died.__cause__ from None
            return FAILED
    return FINE


def _open_log(settings: Settings) -> None:
    try:
        set_up(settings.log, console=True)
    except OSError as error:
        raise ConfigInvalid(
            [f"log.file: {settings.log.file} cannot be written to: {error.strerror} · 日志文件无法写入"]
        ) from None


async def _run(settings: Settings, load: LoadSettings, folder: DataFolder, keyring: Keyring, recognizer: str) -> None:
    """Make every part, in order; run them; stop them in reverse."""
    stop_asked, reload_asked = asyncio.Event(), asyncio.Event()
    _obey_signals(stop_asked, reload_asked)

    devices = find_devices(settings.transcribe.device, settings.scheduler.max_tasks_per_gpu)
    settings = _with_model(settings, devices)

    live, watch, bus, roster = Live(settings), Watch(), EventBus(), _clean_roster(folder)
    bridge = Bridge(asyncio.get_running_loop(), watch.give_up)
    zygote = Zygote(("stages._fetch_child", "stages._decode_child", "yt_dlp", "av"), roster)
    store = SqliteStore(folder.database, ROUTE, boot_id=secrets.token_hex(8))
    board = ProgressBoard(store, ROUTE, watch)
    llm = Llm(settings.llm) if settings.llm.base_url else None
    house = House(bridge, store, zygote, live, board.note, llm)
    executor = Executor(house, ROUTE)

    shelf = ModelShelf(bridge, zygote, ModelRecord(folder.path), house.stop, on_change=lambda: dispatcher.hint(""))
    hosts = hosts_of(devices, shelf, settings, roster, recognizer, tell=lambda news: bridge.post(fleet.take, news))
    engine = LocalEngine(bridge, executor, settings.concurrent.max_workers, devices, hosts, roster)
    fleet = Fleet(devices, engine, shelf, MachineProbe(devices), house, watch, on_change=lambda: dispatcher.hint(""))
    dispatcher = Dispatcher(house, engine, shelf, fleet, ROUTE, bus, watch)
    monitor = Monitor(store, live, fleet.slots, watch, on_change=dispatcher.allow_fetch)
    text_lane = TextLane(bridge, store, executor, watch, settings.llm.queue_size, on_outcome=dispatcher.text_came_back)
    # A kept connection may close just as a message is written, which would put it in doubt for nothing.
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
    channels = _channels(settings, session)
    outbox = Outbox(store, channels, live, watch, finish=dispatcher.finish_delivered)
    dispatcher.wake = Wakers(text_lane.wake, outbox.wake)

    intake = Intake(store, live, dispatcher.hint, house.work_folder)
    control = Control(house, executor, ROUTE, bus, dispatcher.wake_all)
    readiness = functools.partial(_missing, shelf, settings.transcribe.model, fleet, llm, outbox)
    deps = Deps(store, intake, control, monitor, fleet, outbox, keyring, bus, live, readiness, __version__)
    server = HttpServer(deps)

    def adopt(changed: Settings) -> None:
        keyring.adopt(changed)  # the only one that may refuse
        set_level(changed.log.level)
        outbox.adopt(_channels(changed, session))

    reload = Reload(live, lambda: _with_model(load(), devices), adopt, watch, reload_asked)
    workers = Workers(house, engine, settle_rest=dispatcher.settle_rest)

    # A full collection would go through 110,000 objects of libraries: 55 ms in which no request is answered.
    gc.freeze()
    gc.enable()

    try:
        await store.open()
        watch.start("store", store.until_broken())
        services: list[Service] = [
            Heartbeat(watch),
            Rescuer(house, ROUTE, bus),
            Retention(house, watch),
            BackupDesk(folder.path, store.back_up),
            server,  # until the end: what is new is refused, what is asked is answered
            board,
            monitor,
            workers,
            outbox,
            reload,
            Throttle(intake.close, (fleet, dispatcher, text_lane), workers),
            _Announcement(folder, server, devices, settings),
        ]
        await run_services(services, watch, stop_asked)
    finally:
        if llm is not None:
            await llm.close()
        await session.close()
        await watch.stop("store")
        await store.close()


def _clean_roster(folder: DataFolder) -> Roster:
    """The record of our processes, once those of a dead daemon are ended."""
    roster = Roster(folder.processes)
    for pid in roster.end_leftovers():
        log.warning("a process of a dead daemon was still there; it is ended", pid=pid)
    return roster


def _with_model(settings: Settings, devices: list[Device]) -> Settings:
    """The settings with ``auto`` replaced by the model it means on this machine."""
    name = resolve_auto(settings.transcribe.model, devices)
    transcribe = settings.transcribe.model_copy(update={"model": name})
    return settings.model_copy(update={"transcribe": transcribe})


def _channels(settings: Settings, session: aiohttp.ClientSession) -> dict[str | None, Channel]:
    """A channel for every configured robot, and the inbox for tasks that name none."""
    channels: dict[str | None, Channel] = {None: Inbox()}
    for robot in settings.wechat.robots:
        channels[robot.name] = WecomRobot(session, robot.url.get_secret_value())
    return channels


def _missing(shelf: ModelShelf, model: str, fleet: Fleet, llm: Llm | None, outbox: Outbox) -> list[Missing]:
    """What the daemon lacks at this moment."""
    lacking = []
    if shelf.want(model) in {Stock.FETCHING, Stock.MISSING}:
        lacking.append(
            Missing(
                f"model:{model}",
                f"The weights are not here (yet): python run_daemon.py models fetch {model}",
                f"本机（还）没有模型权重，可运行 python run_daemon.py models fetch {model}",
            )
        )
    for device, outage in fleet.outages.items():
        lacking.append(
            Missing(f"device:{device}", f"It is out of service. {outage.why}", f"设备已停用：{outage.why_zh}")
        )
    if llm is not None:
        lacking += [Missing(f"llm:{name}", *why.advice()) for name, why in llm.silent.items()]
    for robot, why in outbox.paused.items():
        lacking.append(Missing(f"robot:{robot}", f"Its lane is paused: {why}", f"该机器人的发送已暂停：{why}"))
    return lacking


class _Announcement:
    """The last to start and the first to stop: says where the daemon answers, once it does."""

    def __init__(self, folder: DataFolder, server: HttpServer, devices: list[Device], settings: Settings) -> None:
        self._folder = folder
        self._server = server
        self._devices = devices
        self._settings = settings

    async def start(self) -> None:
        self._folder.announce(self._server.url)
        log.info(
            "ready",
            url=self._server.url,
            data=str(self._folder.path),
            devices=[device.name for device in self._devices],
            model=self._settings.transcribe.model,
            robots=[robot.name for robot in self._settings.wechat.robots] or ["inbox"],
        )
        tell_systemd("READY=1")

    async def stop(self) -> None:
        tell_systemd("STOPPING=1")
        self._folder.withdraw()


def _obey_signals(stop_asked: asyncio.Event, reload_asked: asyncio.Event) -> None:
    """SIGTERM and SIGINT ask to stop; a later one ends at once, children by their lifelines. SIGHUP: reload."""
    loop = asyncio.get_running_loop()
    asked_at = 0.0

    def asked() -> None:
        nonlocal asked_at
        if not stop_asked.is_set():
            log.info("stopping; a second signal ends at once")
            asked_at = loop.time()
            stop_asked.set()
        elif loop.time() - asked_at > SAME_STOP_S:
            os._exit(FAILED)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    loop.add_signal_handler(signal.SIGHUP, reload_asked.set)
