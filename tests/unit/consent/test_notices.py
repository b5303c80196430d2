"""Notices are named by a hash that binds words, language and media type; terms name only published ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from backend.audit import codes
from backend.audit.entry import Agent
from backend.consent.errors import (
    NoticeDamaged,
    NoticeInAnotherLanguage,
    NoticeInvalid,
    NoticeNotPublished,
    NoticeUnknown,
    UnknownCode,
)
from backend.consent.notices import MAX_BYTES, Notice, NoticeBook, NoticeRow, built_in, check_notice
from backend.consent.tables import LANGUAGES
from backend.consent.terms import ZERO32, Delegation, Grant, Kind
from backend.types import Bytes32, UnixSeconds
from scripts.vectors import world as w
from tests.support.audit_world import World

VECTORS = Path(__file__).parents[3] / "vectors" / "notices.json"
OPERATOR = Agent.service("operator")
ENGLISH = Notice("en", "text/plain", b"You may withdraw.\n")
GERMAN = Notice("de", "text/plain", "Widerruf jederzeit möglich.\n".encode())


class MemoryNoticeStore:
    """The port's contract on a dictionary; tests tamper with it."""

    def __init__(self) -> None:
        self.rows: dict[Bytes32, NoticeRow] = {}

    def add(self, row: NoticeRow) -> None:
        kept = self.rows.get(row.name)
        self.rows[row.name] = row if kept is None else replace(row, published_at=kept.published_at)

    def renew(self, name: Bytes32, published_at: UnixSeconds) -> None:
        self.rows[name] = replace(self.rows[name], published_at=published_at)

    def get(self, name: Bytes32) -> NoticeRow | None:
        return self.rows.get(name)

    def newest(self, language: str) -> NoticeRow | None:
        return next((row for row in self.all() if row.notice.language == language), None)

    def all(self) -> Sequence[NoticeRow]:
        return sorted(self.rows.values(), key=lambda row: (-row.published_at, row.name))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for log in world.opened:
        log.close()


@pytest.fixture
def store() -> MemoryNoticeStore:
    return MemoryNoticeStore()


@pytest.fixture
def book(world: World, store: MemoryNoticeStore) -> NoticeBook:
    return NoticeBook(store=store, audit=world.open(), clock=world.clock)


def grant(notice: bytes, *, language: str = "en", kind: Kind = Kind.PERMIT) -> Grant:
    return w.grant(kind, notice=Bytes32(notice), language=language)


def delegation(notice: bytes, *, language: str = "en") -> Delegation:
    return w.delegation(notice=Bytes32(notice), language=language)


def test_hash_binds_words_language_and_media_type() -> None:
    head = b"assent/notice/1\nen\ntext/plain\n"
    assert ENGLISH.hash == hashlib.sha256(head + b"You may withdraw.\n").digest()
    others = [replace(ENGLISH, language="de"), replace(ENGLISH, media_type="text/markdown")]
    others.append(replace(ENGLISH, content=b"You may withdraw."))
    assert len({ENGLISH.hash, *(other.hash for other in others)}) == 4


def test_published_vectors_give_their_hashes() -> None:
    cases = json.loads(VECTORS.read_text())["cases"]
    assert cases
    for case in cases:
        notice = Notice(case["language"], case["mediaType"], case["text"].encode())
        assert "0x" + notice.hash.hex() == case["hash"]


def test_built_in_notices_are_valid_and_there_in_every_language(book: NoticeBook) -> None:
    assert [notice.language for notice in built_in()] == list(LANGUAGES)
    for notice in built_in():
        check_notice(notice)
        assert book.current(notice.language) == notice.hash
        assert book.get(notice.hash) == notice


def test_built_in_notices_say_the_same_in_every_language() -> None:
    """As many paragraphs, each with its bold lead: a translation that lacks one would be another notice."""
    leads = {
        notice.language: [part.startswith("**") for part in notice.content.decode().strip().split("\n\n")]
        for notice in built_in()
    }
    assert leads["en"] == leads["de"]


def test_published_notice_is_the_current_one_until_another_is_and_both_stay(
    book: NoticeBook, world: World
) -> None:
    first = book.publish(ENGLISH, by=OPERATOR)
    world.clock.seconds += 10
    second = book.publish(replace(ENGLISH, content=b"Another text."), by=OPERATOR)
    assert book.current("en") == second
    assert book.get(first) == ENGLISH
    assert book.current("de") == built_in()[1].hash
    world.clock.seconds += 10
    assert book.publish(ENGLISH, by=OPERATOR) == first == book.current("en")


def test_publication_is_in_the_audit_log(book: NoticeBook, world: World) -> None:
    name = book.publish(GERMAN, by=OPERATOR)
    (log,) = world.opened
    reader = world.reader(log)
    (chain,) = reader.chains(None)
    events = [reader.event(entry, chain) for entry in reader.entries(range(log.state.head()[0]))]
    assert [(event.type, event.actor, dict(event.detail)) for event in events] == [
        (codes.NOTICE_PUBLISHED, OPERATOR, {"notice": bytes(name), "language": "de"})
    ]


def test_later_start_leaves_what_the_operator_published_current(
    book: NoticeBook, world: World, store: MemoryNoticeStore
) -> None:
    name = book.publish(ENGLISH, by=OPERATOR)
    again = NoticeBook(store=store, audit=world.opened[0], clock=world.clock)
    assert again.current("en") == name
    assert len(again.all()) == 3


@pytest.mark.parametrize("make", [grant, delegation])
def test_terms_with_an_unknown_notice_are_refused(make: type[Grant], book: NoticeBook) -> None:
    for notice in (ENGLISH.hash, ZERO32):
        with pytest.raises(NoticeNotPublished) as refusal:
            book.require_published(make(notice))
        assert refusal.value.field == "terms.notice"
    book.publish(ENGLISH, by=OPERATOR)
    book.require_published(make(ENGLISH.hash))


@pytest.mark.parametrize("make", [grant, delegation])
def test_terms_with_a_notice_in_another_language_are_refused(make: type[Grant], book: NoticeBook) -> None:
    name = book.publish(GERMAN, by=OPERATOR)
    with pytest.raises(NoticeInAnotherLanguage):
        book.require_published(make(name))
    book.require_published(make(name, language="de"))


@pytest.mark.parametrize("kind", [Kind.DENY, Kind.REFUSAL])
def test_what_restricts_may_name_no_notice_but_not_an_unknown_one(kind: Kind, book: NoticeBook) -> None:
    book.require_published(grant(ZERO32, kind=kind))
    with pytest.raises(NoticeNotPublished):
        book.require_published(grant(ENGLISH.hash, kind=kind))


def test_draft_takes_the_current_notice_or_the_one_named_if_it_fits(book: NoticeBook) -> None:
    german = book.publish(GERMAN, by=OPERATOR)
    assert book.choose(None, "de") == german
    assert book.choose(built_in()[1].hash, "de") == built_in()[1].hash
    with pytest.raises(NoticeInAnotherLanguage) as refusal:
        book.choose(german, "en")
    assert refusal.value.field == "notice"
    with pytest.raises(NoticeNotPublished):
        book.choose(ENGLISH.hash, "en")
    with pytest.raises(UnknownCode):
        book.choose(None, "fr")


def test_notice_that_is_not_here_is_unknown(book: NoticeBook) -> None:
    with pytest.raises(NoticeUnknown):
        book.get(ENGLISH.hash)


@pytest.mark.parametrize(
    "other", [{"content": b"You may not withdraw.\n"}, {"language": "de"}, {"media_type": "text/markdown"}]
)
def test_store_that_gives_another_text_is_found_out(
    other: dict[str, str], book: NoticeBook, world: World, store: MemoryNoticeStore
) -> None:
    name = book.publish(ENGLISH, by=OPERATOR)
    row = store.rows[name]
    store.rows[name] = replace(row, notice=replace(row.notice, **other))
    fresh = NoticeBook(store=store, audit=world.opened[0], clock=world.clock)
    for read in (lambda: fresh.get(name), lambda: fresh.require_published(grant(name)), fresh.all):
        with pytest.raises(NoticeDamaged):
            read()
    fresh.publish(ENGLISH, by=OPERATOR)
    assert fresh.get(name) == ENGLISH


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"language": "fr"}, "language"),
        ({"media_type": "text/html"}, "media_type"),
        ({"content": b""}, "text"),
        ({"content": b" \n"}, "text"),
        ({"content": b"\xff"}, "text"),
        ({"content": b"a" * (MAX_BYTES + 1)}, "text"),
        ({"content": "allow \u202eyned".encode()}, "text"),
        ({"content": b"a\x1b[2Jb"}, "text"),
        ({"content": b"a\r\nb"}, "text"),
    ],
)
def test_text_that_cannot_be_shown_as_it_stands_is_not_published(
    wrong: dict[str, str], field: str, book: NoticeBook
) -> None:
    with pytest.raises(NoticeInvalid) as refusal:
        book.publish(replace(ENGLISH, **wrong), by=OPERATOR)
    assert refusal.value.field == field
    assert len(book.all()) == len(LANGUAGES)
