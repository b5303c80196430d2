"""What all suites share: a service under test keeps no backup unless the test is about it.

Each start would copy all its stores beside its directory. Who tests backups sets the hours again.
"""

from __future__ import annotations

import os

os.environ.setdefault("ASSENT_BACKUP_INTERVAL_HOURS", "0")
