"""What a decision rested on that nobody could tell afterwards: the part of its input that its entry keeps.

Documents are signed and kept, and the chain's events say how each stood at every block. What was only
received, what the queue held, the uses made and who asked, as far as a consent can name it, is in the entry.
From all of that ``past`` builds the input again. An entry is read by its patient: teams and accounts of a
requester that no consent of theirs names are left out; so they had no say in the decision either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.address import to_checksum_address

from backend.audit import cbor
from backend.audit.errors import EntryDamaged
from backend.consent.decision_types import DecisionInput, Evidence, Requester, Segment, Team
from backend.consent.evidence_set import EvidenceSet
from backend.consent.terms import UNLIMITED_USES, Delegation, Grant
from backend.consent.uses import Taken, UseLimit, limit_of
from backend.types import Address, ConsentId, MemberId, UnixSeconds

MAX_BYTES: Final = 4_096  # what an entry has room for


@dataclass(frozen=True, slots=True)
class Used:
    """Uses of one consent: made in all, and those that its frequency still counted at that moment."""

    consent: ConsentId
    made: int
    recent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """``unrecorded`` are documents that counted without a block, ``ending`` those whose end was in the queue,
    ``asked`` the parts of a record that were asked for where that is not all of it. ``only``: the consents
    that the caller's token was bound to. ``unopened``: nothing counted, of an unknown or erased subject."""

    now: UnixSeconds
    requester: Requester
    fulfils: int = 0
    unrecorded: tuple[ConsentId, ...] = ()
    ending: tuple[ConsentId, ...] = ()
    suspended: tuple[MemberId, ...] = ()
    ended_epoch: int | None = None
    uses: tuple[Used, ...] = ()
    only: tuple[ConsentId, ...] | None = None
    segment: Segment | None = None
    asked: tuple[str, ...] = ()
    unopened: bool = False

    def encode(self) -> bytes:
        """Return the basis as deterministic CBOR, without the members that are empty."""
        requester = self.requester
        value: dict[str, object] = {
            "v": 1,
            "now": self.now,
            "actor": requester.actor,
            "orgs": list(requester.organisations),
            "account": None if requester.account is None else bytes.fromhex(requester.account[2:]),
            "teams": [[one.team, one.organisation or b""] for one in requester.teams],
            "fulfils": self.fulfils or None,
            "unrecorded": list(self.unrecorded),
            "ending": list(self.ending),
            "suspended": list(self.suspended),
            "epoch": self.ended_epoch,
            "uses": [[used.consent, used.made, used.recent] for used in self.uses],
            "segment": None if self.segment is None else _plain(self.segment),
            "asked": list(self.asked),
            "unopened": self.unopened or None,
        }
        kept = {name: item for name, item in value.items() if item not in (None, [])}
        if self.only is not None:  # bound to none at all is not the same as not bound
            kept["only"] = list(self.only)
        return cbor.encode(kept)

    @classmethod
    def decode(cls, data: bytes) -> Basis:
        """Read what ``encode`` wrote. Raises EntryDamaged."""
        try:
            value = cbor.decode(data)
            if not isinstance(value, dict) or value.get("v") != 1:
                raise ValueError("unknown version")
            found = _read(value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EntryDamaged("the basis of a decision cannot be read") from error
        if found.encode() != data:
            raise EntryDamaged("the basis of a decision is not in its one form")
        return found


def basis_of(
    request: DecisionInput,
    *,
    only: Iterable[ConsentId] | None = None,
    segment: Segment | None = None,
    asked: Sequence[str] = (),
) -> bytes:
    """Return the encoded basis of a decision; empty where an entry has no room for it."""
    evidence = EvidenceSet.of(request.evidence)
    weighed = {item.prepared.consent_id: item for item in _weighed(request, evidence)}
    basis = Basis(
        now=request.now,
        requester=_named(request, evidence),
        fulfils=request.fulfils,
        unrecorded=tuple(name for name, item in weighed.items() if not item.head.kind),
        ending=tuple(name for name, item in weighed.items() if item.revocation_pending),
        suspended=tuple(sorted(request.suspended.intersection(request.requester.members))),
        ended_epoch=request.ended_epoch,
        uses=tuple(_used(weighed.values(), request.now)),
        only=None if only is None else tuple(sorted(only)),
        segment=segment,
        asked=tuple(asked),
        unopened=not (request.final.opened or request.head.opened),
    )
    encoded = basis.encode()
    return encoded if len(encoded) <= MAX_BYTES else b""


def taken_again(used: Used, limit: UseLimit, now: UnixSeconds) -> Taken:
    """Return uses of which the limit finds as many as it found at ``now``."""
    if limit.uses_per_period == UNLIMITED_USES:
        return Taken(used.made)
    kept = min(used.made, limit.uses_per_period)
    over = UnixSeconds(now - limit.period_seconds)
    return Taken(used.made, (over,) * (kept - used.recent) + (now,) * used.recent)


def _weighed(request: DecisionInput, evidence: EvidenceSet) -> Iterator[Evidence]:
    """Yield what can say anything to the requester, with the delegations above it."""
    for item in evidence.naming(request.requester):
        yield item
        document = item.prepared.document
        while isinstance(document, Delegation) and (above := evidence.by_id.get(document.parent)):
            yield above
            document = above.prepared.document


def _named(request: DecisionInput, evidence: EvidenceSet) -> Requester:
    """Return the requester without what no consent of the subject could name it by."""
    requester = request.requester
    if not requester.teams and requester.account is None:
        return requester
    names: set[bytes | str] = {request.final.controller, request.head.controller}
    for item in evidence.by_id.values():
        document = item.prepared.document
        if isinstance(document, Grant):
            names.add(document.terms.grantee)
            names.update(grantee for rule in document.terms.rules for grantee in rule.grantees)
        else:
            names.add(document.delegate)
    named = Requester(
        requester.actor,
        requester.organisations,
        requester.account if requester.account in names else None,
        tuple(team for team in requester.teams if team.team in names),
    )
    return requester if named == Requester() else named  # somebody who is nobody would be refused as such


def _used(weighed: Iterable[Evidence], now: UnixSeconds) -> Iterator[Used]:
    for item in weighed:
        document, taken = item.prepared.document, item.taken
        if not isinstance(document, Grant) or not item.prepared.is_limited or not taken.made:
            continue
        yield Used(item.prepared.consent_id, taken.made, limit_of(document.terms).recent(taken, now))


def _plain(segment: Segment) -> list[object]:
    return [
        segment.categories,
        segment.sensitivities,
        segment.data_from,
        segment.data_to,
        sorted(segment.references),
    ]


def _read(value: Mapping[str, Any]) -> Basis:
    account = value.get("account")
    segment = value.get("segment")
    only = value.get("only")
    return Basis(
        now=UnixSeconds(value["now"]),
        requester=Requester(
            value.get("actor"),
            tuple(value.get("orgs", ())),
            None if account is None else Address(to_checksum_address(account)),
            tuple(Team(team, organisation or None) for team, organisation in value.get("teams", ())),
        ),
        fulfils=value.get("fulfils", 0),
        unrecorded=tuple(value.get("unrecorded", ())),
        ending=tuple(value.get("ending", ())),
        suspended=tuple(value.get("suspended", ())),
        ended_epoch=value.get("epoch"),
        uses=tuple(Used(*used) for used in value.get("uses", ())),
        only=None if only is None else tuple(only),
        segment=None if segment is None else _segment(*segment),
        asked=tuple(value.get("asked", ())),
        unopened=value.get("unopened", False),
    )


def _segment(categories: int, sensitivities: int, start: int, end: int, references: list[bytes]) -> Segment:
    return Segment(categories, sensitivities, UnixSeconds(start), UnixSeconds(end), frozenset(references))
