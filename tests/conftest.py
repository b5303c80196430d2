"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# No test fails for being slow: the suites run beside each other, on machines of every speed.
settings.register_profile("assent", settings(), deadline=None)
settings.load_profile("assent")
