"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine makes any example slow once in a while; tests of speed measure it themselves.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
