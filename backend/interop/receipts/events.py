"""What happened to a consent, as consent events with the chain's evidence of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from backend.consent.history import Change, Step
from backend.consent.states import State
from backend.consent.terms import UNBOUNDED, Grant, Kind
from backend.consent.typed_data import Domain
from backend.interop.receipts.vocabulary import ENDED, SUSPENDED, Json, ended_as, given_as, iri
from backend.types import ConsentId, UnixSeconds, to_hex

CONSENT_TYPE = "dpv:ExplicitlyExpressedConsent"
_STOPS = (Change.REVOKED, Change.REVOKED_WITH_ALL)


@dataclass(frozen=True, slots=True)
class History:
    """``steps`` are dated and oldest first. ``state`` is that at ``seen_at``, which is now. ``domain`` is the
    signature's."""

    grant: Grant
    consent_id: ConsentId
    steps: tuple[Step, ...]
    state: State
    seen_at: UnixSeconds
    domain: Domain


def status(history: History) -> str:
    """Return the ConsentStatus in force."""
    kind = history.grant.kind
    if history.state in ENDED:
        return ended_as(kind, history.state)
    if history.state is State.SUSPENDED:
        return SUSPENDED
    return given_as(kind)


def created_at(history: History) -> UnixSeconds:
    """Return when the consent was received, or else recorded."""
    return next((step.at for step in history.steps if step.at is not None), history.seen_at)


def events(history: History, by: str) -> list[Json]:
    """Return given or refused, then what ended it. ``by`` is the entity that signed.

    A stop counts before it is on the chain; until then its event has the time at which it was seen, and no
    evidence.
    """
    return list(_events(history, by))


def _events(history: History, by: str) -> Iterable[Json]:
    grant = history.grant
    recorded = next((step for step in history.steps if step.change is Change.RECORDED), None)
    given = given_as(grant.kind)
    yield _event(history, by, at=created_at(history), valid=_validity(grant), state=given, evidence=recorded)
    if history.state not in ENDED:
        return
    state = ended_as(grant.kind, history.state)
    if history.state in (State.EXPIRED, State.LAPSED):
        at = grant.not_after if history.state is State.EXPIRED else grant.submit_by
        yield _event(history, by, at=at, valid="PT0S", state=state, evidence=None)
        return
    stop = next((step for step in history.steps if step.change in _STOPS), None)
    at = history.seen_at if stop is None or stop.at is None else stop.at
    yield _event(history, by, at=at, valid="PT0S", state=state, evidence=stop)


def _event(
    history: History, by: str, *, at: UnixSeconds, valid: str, state: str, evidence: Step | None
) -> Json:
    found: Json = {
        "dct:date": instant(at),
        "dct:valid": valid,
        "dpv:isImplementedByEntity": iri(by),
        "dpv:hasLegalBasis": {"@type": CONSENT_TYPE},
        "dpv:hasConsentStatus": iri(state),
        "assent:kind": Kind(history.grant.kind).name.lower(),
    }
    if evidence is not None and evidence.block is not None:
        found["assent:evidence"] = _evidence(history, evidence)
    return found


def _evidence(history: History, step: Step) -> Json:
    found: Json = {
        "assent:chainId": history.domain.chain_id,
        "assent:contract": step.contract or history.domain.verifying_contract,
        "assent:block": step.block,
        "assent:consentId": to_hex(history.consent_id),
    }
    if step.transaction is not None:
        found["assent:transaction"] = to_hex(step.transaction)
    return found


def _validity(grant: Grant) -> str:
    """Return an interval of ISO 8601-2: ``..`` is an open start or end."""
    start = _text(grant.not_before) if grant.not_before else ".."
    return f"{start}/{'..' if grant.not_after >= UNBOUNDED else _text(grant.not_after)}"


def instant(at: UnixSeconds) -> Json:
    return {"@type": "xsd:dateTime", "@value": _text(at)}


def _text(at: UnixSeconds) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
