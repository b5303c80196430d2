"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# No test fails for being slow: the suites run beside each other, on machines of every speed.
settings.register_profile("assent", settings(), deadline=None)
settings.load_profile("assent")

# Each start would copy all stores beside its directory. Tests of backups set the hours again.
os.environ.setdefault("ASSENT_BACKUP_INTERVAL_HOURS", "0")
