"""Which texts are taken for an address: nothing of which a header or a command could be made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.notices.errors import MailAddressRefused
from backend.notices.letters import Letter, LetterName, Writer
from backend.notices.mail_addresses import MAX_CHARACTERS, checked, mailbox


@pytest.mark.parametrize(
    "text",
    [
        "a@b.example",
        "first.last+tag@mail.example.org",
        "!#$%&'*+/=?^_`{|}~-@b.example",
        "x" * 64 + "@b.example",
        "a@xn--bcher-kva.example",
    ],
)
def test_address_in_the_plain_form_is_taken(text: str) -> None:
    assert checked(text) == text


def test_domain_is_kept_in_lower_case_and_the_local_part_as_it_is() -> None:
    assert checked("First.Last@Mail.EXAMPLE.org") == "First.Last@mail.example.org"


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "@b.example", "a@", "a@b", "a@localhost", "a@@b.example", "a@b@c.example", ".a@b.example",
        "a.@b.example", "a..b@c.example", "a b@c.example", '"a b"@c.example', "a@[127.0.0.1]", "a@10.0.0.1",
        "a@b.example.", "a@-b.example", "a@b-.example", "a@b..example", "x" * 65 + "@b.example",
        "a@" + "b" * 64 + ".example", "a@" + ".".join(["b" * 60] * 5) + ".example", "jörg@b.example",
        "a@bücher.example", "a@b.example\n", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example",
        "<a@b.example>", "A <a@b.example>", "a(comment)@b.example", "a@b.example\x00", "a\u2028@b.example",
        "a@b.example>\r\nRCPT TO:<c@d.example",
    ],
)  # fmt: skip
def test_text_that_is_no_such_address_is_refused(text: str) -> None:
    with pytest.raises(MailAddressRefused) as refusal:
        checked(text)
    assert refusal.value.field == "address"
    assert text not in refusal.value.detail or text in ("", "a", "@b.example")


@given(st.text(max_size=40) | st.from_regex(r"[ -~\r\n]{0,20}@[ -~\r\n]{0,20}\.[a-z]{2}", fullmatch=True))
def test_whatever_is_taken_gives_one_receiver_and_no_other_header(text: str) -> None:
    try:
        address = checked(text)
    except MailAddressRefused:
        return
    assert len(address) <= MAX_CHARACTERS
    assert address.isascii()
    assert address.isprintable()
    letter = Letter(LetterName.TEST, "1" * 32, written_at=1_700_000_000)  # type: ignore[arg-type]
    head = Writer("a@b.example", "https://c.example").compose(letter, to=address, language="en")
    lines = head.split(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"To: " + address.encode() in lines
    assert [line.split(b":")[0] for line in lines if not line.startswith(b" ")] == [
        b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted",
        b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version", b"Content-Language",
    ]  # fmt: skip


def test_mailbox_is_the_same_for_what_servers_deliver_to_one() -> None:
    assert mailbox("A.B+tag@Mail.example") == mailbox("a.b@mail.example") == "a.b@mail.example"
    assert mailbox("b@mail.example") != mailbox("a@mail.example")
