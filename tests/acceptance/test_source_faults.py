"""Everything that may be wrong with what an address leads to, and the error that each fault ends with."""

from __future__ import annotations

import re

from tests.acceptance.conftest import Start
from tests.acceptance.videos import serve_stream
from tests.acceptance.watching import CHINESE, Watched, check_nothing_left, check_progress, watch, watch_all
from tests.daemon import Client, Daemon
from tests.fakes import media, pages
from tests.fakes.site import Reply, Site, page
from tests.fakes.wecom import WeCom

CLOSED_PORT = "127.0.0.1:1"
ENDLESSLY_LONG_S = 100_000.0
LONG_S = 220.0
"""Half of it is more than what is decoded before it is heard."""

Ends = dict[str, tuple[str, str | None, str | None, int]]
"""How each source ends, by its name: status, type and stage of its error, number of the last attempt."""

GOOD = ("completed", None, None, 1)
NOT_THERE = ("failed", "source_not_found", "captions", 1)

FAULTS: Ends = {
    "good": GOOD,
    "500 once": ("completed", None, None, 2),
    "not media": ("failed", "media_invalid", "decode", 1),
    "no sound": ("failed", "media_no_audio", "decode", 1),
    "empty": ("failed", "media_invalid", "download", 1),
    "cut": ("failed", "download_truncated", "download", 3),
    "short": ("failed", "download_truncated", "decode", 3),
    "long and short": ("failed", "download_truncated", "decode", 3),
    "403": ("failed", "source_forbidden", "captions", 2),
    "404": NOT_THERE,
    "429": ("failed", "source_rate_limited", "captions", 4),
    "500": ("failed", "source_unreachable", "captions", 4),
    "refused": ("failed", "source_unreachable", "captions", 4),
    "no video": ("failed", "source_unsupported", "captions", 2),
    "two videos": ("failed", "playlist_not_allowed", "captions", 1),
    "live": ("failed", "live_not_supported", "captions", 1),
    "circle": ("failed", "source_unreachable", "captions", 4),
    "good, too": GOOD,
}
TOO_MUCH: Ends = {
    "good": GOOD,
    "endless": ("failed", "download_too_large", "download", 1),
    "stalled": ("timeout", "download_timeout", "download", 1),
    "drip": ("timeout", "download_timeout", "download", 1),
    "declared too long": ("failed", "media_too_long", "captions", 1),
    "too long": ("failed", "media_too_long", "decode", 1),
}
DETAILS = {"empty": "empty", "circle": "circle", "stalled": "stall_s", "drip": "timeout_s", "two videos": "2"}
"""Words that the message of some of them must have."""


async def test_each_fault_ends_with_its_own_error(site: Site, wecom: WeCom, start: Start) -> None:
    """Every fault gets its own error and one notice, after the tries it deserves; good videos finish beside them."""
    daemon = start(
        concurrent={"max_workers": 8, "queue_size": 30},
        download={"allow_hosts": [site.address, CLOSED_PORT]},
        scheduler={"retry_delay_s": 0.05},
        wechat={"webhook": wecom.webhook("team"), "per_minute": 1200},
    )
    await _check_ends(daemon, wecom, _serve_faults(site), FAULTS)
    assert 4 == len(site.requests_of("/short.wav"))  # looked at once, then fetched anew by each attempt
    check_nothing_left(daemon)


async def test_what_goes_over_a_limit_is_stopped(site: Site, wecom: WeCom, start: Start) -> None:
    """Too large, too slow, silent or too long: each ends by its own limit, and a good video finishes beside them."""
    daemon = start(
        concurrent={"max_workers": 6},
        download={"max_mb": 1, "stall_s": 4, "timeout_s": 7, "max_duration_s": 60},
        wechat={"webhook": wecom.webhook("team"), "per_minute": 1200},
    )
    await _check_ends(daemon, wecom, _serve_too_much(site), TOO_MUCH)
    check_nothing_left(daemon)


async def test_nobody_is_told_who_does_not_want_it(site: Site, start: Start) -> None:
    """A failed task whose caller asked for no notices has no message."""
    async with Client(start()) as client:
        watched = await watch(client, f"{site.url}/not-there", notify="none")
    assert (NOT_THERE, []) == (watched.end, watched.messages)


async def _check_ends(daemon: Daemon, wecom: WeCom, urls: dict[str, str], ends: Ends) -> None:
    """Submit all, check how each ends, and that the robot got one notice for each failure."""
    failing = [name for name, (_, error, _, _) in ends.items() if error]
    async with Client(daemon) as client:
        watched = await watch_all(client, urls)
        assert ends == {name: one.end for name, one in watched.items()}
        await wecom.until(lambda _: len(_notices(wecom)) >= len(failing))
    for one in watched.values():
        check_progress(one)
    told = [_check_told(watched[name], DETAILS.get(name, "")) for name in failing]
    assert sorted(told) == sorted(_notices(wecom))


def _notices(wecom: WeCom) -> list[str]:
    """What came to the robot outside any run."""
    return [content for content in wecom.robot("team").contents if not content.startswith("(")]


def _check_told(watched: Watched, detail: str) -> str:
    """Check that the error speaks both languages and says what to do; returns its one notice."""
    error = watched.state["error"]
    assert detail in error["message"]
    assert not CHINESE.search(error["message"])
    assert CHINESE.search(error["message_zh"])
    assert re.search(r"[A-Za-z]{3,}.*[\u4e00-\u9fff]", error["hint"])
    [notice] = watched.messages
    assert ("notice", None, None) == (notice["kind"], notice["number"], notice["of"])
    assert error["message_zh"].split("(")[0].strip() in notice["text"]
    assert error["hint"] in notice["text"]
    return notice["text"]


def _serve_faults(site: Site) -> dict[str, str]:
    """Serve every source of ``FAULTS``."""
    speech = media.speech(media.story(1, 2))
    good = Reply(body=speech)
    two = pages.video_page("One", "/good.wav") + pages.video_page("Two", "/good.opus")
    return {
        "good": site.serve("/good.wav", good),
        "500 once": site.serve("/once.wav", Reply(status=500), good),
        "not media": site.serve("/text.mp4", Reply(body=media.not_media())),
        "no sound": site.serve("/mute.mp4", Reply(body=media.mp4_without_sound())),
        "empty": site.serve("/empty.mp4", Reply(body=b"")),
        "cut": site.serve("/cut.wav", Reply(body=speech, cut_after=20_000, ranges=False)),
        "short": site.serve("/short.wav", Reply(body=media.truncated(speech))),
        "long and short": site.serve("/long.flac", Reply(body=media.truncated(media.flac(media.tone(LONG_S))))),
        "403": site.serve("/403.mp4", Reply(status=403)),
        "404": site.serve("/404.mp4", Reply(status=404)),
        "429": site.serve("/429.mp4", Reply(status=429)),
        "500": site.serve("/500.mp4", Reply(status=500)),
        "refused": f"http://{CLOSED_PORT}/video.mp4",
        "no video": site.serve("/nothing", page(pages.empty_page("Nothing"))),
        "two videos": site.serve("/two", page(two)),
        "live": serve_stream(site, "/live", media.tone(5), live=True),
        "circle": site.serve("/circle", Reply(redirect_to="/circle")),
        "good, too": site.serve("/good.opus", Reply(body=media.opus(media.compose(media.story(2, 2))))),
    }


def _serve_too_much(site: Site) -> dict[str, str]:
    """Serve every source of ``TOO_MUCH``."""
    speech = media.speech(media.story(1, 2))
    declared = pages.described_page("Long", f"{site.url}/good.wav", duration_s=ENDLESSLY_LONG_S)
    return {
        "good": site.serve("/good.wav", Reply(body=speech)),
        "endless": site.serve("/endless.mp4", Reply(body=speech, endless=True)),
        "stalled": site.serve("/stalled.wav", Reply(body=speech, stall_after=20_000, ranges=False)),
        "drip": site.serve("/drip.wav", Reply(body=speech, bytes_per_s=3000)),
        "declared too long": site.serve("/long", page(declared)),
        "too long": site.serve("/long.flac", Reply(body=media.flac(media.silence(70)))),
    }
