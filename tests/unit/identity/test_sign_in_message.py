"""EIP-4361 messages: the published vectors and what must never parse, through our path."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from backend.identity.errors import SignInMessageMalformed
from backend.identity.sign_in_message import compose, parse
from backend.types import Address, UnixSeconds
from tests.unit.identity.world import CHAIN_ID, NOW, PATIENT

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "data" / "siwe"


def _vectors(name: str) -> dict[str, Any]:
    path = VECTORS / name
    if not path.exists():
        pytest.skip("the published vectors are not on this machine")
    found: dict[str, Any] = json.loads(path.read_text())
    assert found
    return found


def test_parse_published_positive_vectors_gives_their_fields() -> None:
    for name, vector in _vectors("parsing_positive.json").items():
        fields = vector["fields"]
        parsed = parse(vector["message"])
        assert parsed.domain == fields["domain"], name
        assert parsed.scheme == fields.get("scheme"), name
        assert parsed.address == fields["address"], name
        assert parsed.uri == fields["uri"], name
        assert parsed.chain_id == fields["chainId"], name
        assert parsed.nonce == fields["nonce"], name
        assert parsed.issued_at == int(datetime.fromisoformat(fields["issuedAt"]).timestamp()), name


def test_parse_published_negative_vectors_refuses_each() -> None:
    for message in _vectors("parsing_negative.json").values():
        with pytest.raises(SignInMessageMalformed):
            parse(message)


def _message() -> str:
    return compose(
        scheme="https",
        domain="hospital.example",
        address=PATIENT.account,
        statement="Sign in.",
        uri="https://hospital.example",
        chain_id=CHAIN_ID,
        nonce="A" * 56,
        issued_at=UnixSeconds(NOW),
        expires_at=UnixSeconds(NOW + 300),
    )


def test_compose_then_parse_gives_the_same_members() -> None:
    parsed = parse(_message())
    assert (parsed.issued_at, parsed.expires_at, parsed.not_before) == (NOW, NOW + 300, None)
    assert (parsed.scheme, parsed.address, parsed.chain_id) == ("https", PATIENT.account, CHAIN_ID)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(f"Chain ID: {CHAIN_ID}", f"Chain ID: 0{CHAIN_ID}"),
        lambda text: text.replace("Chain ID", "chain id"),
        lambda text: text.replace("Sign in.", "Sign in.\nURI: https://evil.example"),
        lambda text: text.replace(PATIENT.account, PATIENT.account.lower()),
        lambda text: text.replace("Issued At: 2", "Issued At: x"),
        lambda text: text.replace("-15T", "-32T"),
        lambda text: text.replace("A" * 56, "A" * 50 + "-AAAAA"),
        lambda text: text.replace("Sign in.", "S" * 3000),
        lambda text: text.replace("Sign in.", "\ud800"),
        lambda text: text.replace("Sign in.", "Ünïcode"),
        lambda _: "",
        lambda _: "\x00",
        lambda _: "https://" * 200,
    ],
)
def test_parse_of_a_bent_message_refuses(change: Any) -> None:
    bent = change(_message())
    assert bent != _message()
    with pytest.raises(SignInMessageMalformed):
        parse(bent)


def test_compose_names_the_account_it_was_made_for() -> None:
    assert Address(_message().splitlines()[1]) == PATIENT.account
