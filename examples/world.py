"""A world to try the daemon in: a local site with the recordings of this folder, and a daemon that may reach it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.samples import Sample, samples
from tests.daemon import Daemon
from tests.fakes.pages import video_page
from tests.fakes.server import running
from tests.fakes.site import Reply, Site, page


@dataclass(frozen=True)
class Recording:
    """A recording that the site serves."""

    sample: Sample
    url: str

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.sample.media.name


@dataclass(frozen=True)
class World:
    """The site's recordings, and the daemon on a folder of its own, which goes with it."""

    site_url: str
    daemon: Daemon
    recordings: list[Recording]


@contextmanager
def world(*, download_s: float | None = None) -> Iterator[World]:
    """Run the site and prepare the daemon; start it with ``with world.daemon``.

    Args:
        download_s: about how long each download is to take; None: as fast as it goes.
    """
    with tempfile.TemporaryDirectory(prefix="transcribed-demo-") as folder, running(Site()) as site:
        recordings = [Recording(sample, _serve(site, sample, download_s)) for sample in samples()]
        # No configured token: the daemon makes one at its first start, as it would for you.
        daemon = Daemon(Path(folder), api={"auth_token": ""}, download={"allow_hosts": [site.address]})
        yield World(site.url, daemon, recordings)


def _serve(site: Site, sample: Sample, download_s: float | None) -> str:
    """Serve a recording: as a direct file, or on a page with a ``<video>`` for WebM."""
    pace = sample.media.stat().st_size / download_s if download_s else None
    file = f"/{sample.media.name}"
    url = site.serve(file, Reply(file=sample.media, bytes_per_s=pace))
    if sample.media.suffix != ".webm":
        return url
    return site.serve(f"/watch{file}", page(video_page(sample.name, file)))
