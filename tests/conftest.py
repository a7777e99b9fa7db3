"""What holds for all tests."""

from __future__ import annotations

import signal

from hypothesis import settings

# A busy machine makes any example slow once in a while; tests of speed measure it themselves.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

# A shell has what it runs in the background ignore Ctrl-C, and everything that starts from there inherits that:
# the commands under test are started as from a terminal, however the tests were.
signal.signal(signal.SIGINT, signal.default_int_handler)
