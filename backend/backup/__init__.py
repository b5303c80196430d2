"""Backups: a whole copy of the stores, the changes since, the way back. ``docs/backup.md`` is the runbook."""
