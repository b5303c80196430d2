"""As ``commands``, for what a patient signs about an encryption key."""

from __future__ import annotations

from collections.abc import Iterator

from backend.consent.key_terms import AllowMediated, BindKey, WithdrawKey
from scripts.vectors import world as w
from scripts.vectors.commands import AT, BEFORE, SOON, SignedCase
from scripts.vectors.deployment import DOMAINS, Step, sign

_CONTRACT = "KeyRegistry"


def key_cases() -> Iterator[SignedCase]:
    key_hash, kind, domain = w.salt("public key"), w.salt("segment kind"), DOMAINS[_CONTRACT]
    bind = BindKey(w.SUBJECT, key_hash, 1, SOON)
    words = (w.SUBJECT, key_hash, 1, SOON, sign("patient", bind, domain))
    yield SignedCase("bind_key", _CONTRACT, bind, "patient", Step(AT, _CONTRACT, "bindKey", words))
    bound = Step(BEFORE, _CONTRACT, "bindKey", words)
    withdraw = WithdrawKey(w.SUBJECT, 2)  # the next one, so that nothing signed before can follow
    call = Step(AT, _CONTRACT, "withdrawKey", (w.SUBJECT, 2, sign("patient", withdraw, domain)))
    yield SignedCase("withdraw_key", _CONTRACT, withdraw, "patient", call, (bound,))
    allow = AllowMediated(w.SUBJECT, kind, 1, SOON)
    words = (w.SUBJECT, kind, 1, SOON, sign("patient", allow, domain))
    call = Step(AT, _CONTRACT, "checkMediated", words)
    yield SignedCase("allow_mediated", _CONTRACT, allow, "patient", call, (bound,))
