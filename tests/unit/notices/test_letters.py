"""What mails say, in every language, and that they say no more."""

from __future__ import annotations

import email
import email.policy
import json
import re
from email.message import EmailMessage

import pytest

from backend.consent.table_words import TablesIncomplete, sentences
from backend.consent.tables import LANGUAGES, load_tables
from backend.notices import letters
from backend.notices.contact_types import (
    ALL_KINDS,
    ALWAYS,
    KIND_OF_TOPIC,
    Contact,
    ContactFile,
    ContactState,
    NoticeKind,
    Pending,
    Wish,
)
from backend.notices.letters import Letter, LetterName, Writer, new_id, texts
from backend.notices.types import Topic
from backend.types import UnixSeconds

WRITER = Writer("notices@custodian.example", "https://consent.example/")
TOKEN = "t" * 43
TOPICS = [topic for topic in Topic if topic in {*KIND_OF_TOPIC, *ALWAYS}]
EVERY = [*TOPICS, *LetterName]
FOR_MEMBERS = {Topic.ERASE_DUE, Topic.ABDM_NOTIFY}
AT = UnixSeconds(1_764_000_000)


def composed(name: str, language: str, *, token: str = TOKEN, code: str = "") -> EmailMessage:
    letter = Letter(name, "0" * 32, AT, code=code)
    content = WRITER.compose(letter, to="a@b.example", language=language, token=token)
    return email.message_from_bytes(content, policy=email.policy.default)


def test_sentences_are_the_same_with_the_same_places_in_every_language() -> None:
    found = json.loads(letters._TEXTS.read_text(encoding="utf-8"))
    assert set(found) == set(LANGUAGES)
    assert len({frozenset(found[language]) for language in LANGUAGES}) == 1
    sentences(found, LANGUAGES)  # the places


def test_sentence_that_lacks_a_language_or_a_place_is_refused() -> None:
    found = json.loads(letters._TEXTS.read_text(encoding="utf-8"))
    without = {**found, "de": {name: text for name, text in found["de"].items() if name != "see"}}
    with pytest.raises(TablesIncomplete):
        sentences(without, LANGUAGES)
    with pytest.raises(TablesIncomplete):
        sentences({**found, "de": {**found["de"], "see": "Melden Sie sich an."}}, LANGUAGES)


def test_no_sentence_is_left_over_and_none_is_in_two_languages_the_same() -> None:
    frame = {"subject", "see", "caution", "stop", "page.title", "page.question", "page.button"}
    subjects = {f"subject.{name}" for name in LetterName}
    assert set(texts()["en"]) == frame | subjects | {str(name) for name in EVERY}
    assert [name for name, text in texts()["en"].items() if text == texts()["de"][name]] == []


def test_every_topic_is_of_a_kind_that_a_patient_can_choose() -> None:
    assert set(KIND_OF_TOPIC) == set(Topic) - FOR_MEMBERS - ALWAYS
    assert set(KIND_OF_TOPIC.values()) == set(NoticeKind)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", EVERY)
def test_mail_is_plain_text_marked_as_automatic_with_its_own_id(name: str, language: str) -> None:
    mail = composed(name, language)
    assert (mail.get_content_type(), mail.is_multipart()) == ("text/plain", False)
    assert mail["From"] == "notices@custodian.example"
    assert mail["To"] == "a@b.example"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{'0' * 32}@custodian.example>"
    assert mail["Date"].datetime.timestamp() == AT
    assert mail["Content-Language"] == language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("topic", TOPICS)
def test_notice_can_be_stopped_by_one_click(topic: Topic, language: str) -> None:
    """RFC 8058. Its readers decode nothing, so the link stands there as it is."""
    link = f"https://consent.example/v1/contact/unsubscribe/{TOKEN}"
    letter = Letter(topic, "0" * 32, AT)
    content = WRITER.compose(letter, to="a@b.example", language=language, token=TOKEN)
    assert b"\r\nList-Unsubscribe: <" + link.encode() + b">\r\n" in content
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in content
    assert link in composed(topic, language).get_content()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", EVERY)
def test_mail_links_to_the_service_only_and_loads_nothing(name: str, language: str) -> None:
    text = composed(name, language, code="ABCD").get_content()
    links = re.findall(r"\S*://\S*", text)
    assert links
    assert {link.split("/")[2] for link in links} == {"consent.example"}
    assert "<" not in text
    assert "ABCD" in text or name != LetterName.CONFIRM


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_has_a_word_of_the_tables(language: str) -> None:
    """Neither codes nor words of purposes, categories, sensitivities and actions, in any version of them."""
    tables = load_tables()
    said = "\n".join(texts()[language].values())
    for table in (tables.purposes, tables.categories, tables.sensitivities):
        words = {*table.bits, *table.words(table.all_bits, language)}
        found = [word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said)]
        assert found == [], table.name


def test_subject_of_all_notices_is_one() -> None:
    for language in LANGUAGES:
        assert len({str(composed(topic, language)["Subject"]) for topic in TOPICS}) == 1


def test_lines_are_short_and_letters_ascii_on_the_way() -> None:
    for name in EVERY:
        letter = Letter(name, new_id(), AT, code="X" * 30)
        content = WRITER.compose(letter, to="a@b.example", language="de", token=TOKEN)
        assert content.isascii()
        assert max(len(line) for line in content.split(b"\r\n")) <= 998
        assert b"\n" not in content.replace(b"\r\n", b"")


def test_letters_and_files_read_back_as_they_were_written() -> None:
    letter = Letter("contact.confirm", new_id(), AT, to="a@b.example", language="de", code="C", until=5)
    assert Letter.decode(letter.encode()) == letter
    wish = Wish("a@b.example", "de", ALL_KINDS)
    contact = Contact(wish, ContactState.SUSPENDED, TOKEN, AT)
    pending = Pending(Wish("c@d.example", "en", frozenset({NoticeKind.ACCESSES})), "00", AT, refused=True)
    for file in (ContactFile(), ContactFile(contact), ContactFile(contact, pending)):
        assert ContactFile.decode(file.encode()) == file
