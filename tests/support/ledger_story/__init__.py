"""A chain on which everything happened that the contracts know: every event that is ours at least once.

The clock jumps, so the chapters have an order. Whoever needs an id takes it from ``Story.ids``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ledger_story.base import Story
from tests.support.ledger_story.care import emergencies, keys, logs, records
from tests.support.ledger_story.consents import consents, recovery
from tests.support.ledger_story.institutions import institutions, managers
from tests.support.ledger_story.market import payouts, studies

__all__ = ["Story", "told_story"]
_CHAPTERS = (institutions, consents, recovery, emergencies, keys, records, logs, managers, studies, payouts)


@contextmanager
def told_story(directory: Path, token_code: bytes) -> Iterator[Story]:
    """Tell it on an embedded chain. ``token_code``: creation code of an ERC-20 that anyone may mint."""
    story = Story(directory, token_code)
    try:
        for chapter in _CHAPTERS:
            chapter(story)
        yield story
    finally:
        story.close()
