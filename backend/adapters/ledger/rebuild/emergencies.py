"""``EmergencyAccess`` from its events: openings, the queues of their reviews, standing policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from backend.adapters.ledger.emergencies import EmergencyPolicy, Opening
from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Element, Entry, pack, word
from backend.types import Address, Bytes32, MemberId, SubjectId, UnixSeconds

_NOTHING = Bytes32(bytes(32))


class Emergencies(Replayed):
    """``policies``: a subject's history as (time, policy, round). ``forbids``: the times of a forbid.

    ``unreviewed``: a member's openings that wait for a review, oldest first.
    """

    CONTRACT = "EmergencyAccess"

    def __init__(self) -> None:
        self.openings: dict[bytes, Opening] = {}
        self.reasons: dict[bytes, bytes] = {}
        self.unreviewed: dict[bytes, list[bytes]] = defaultdict(list)
        self.policies: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        self.forbids: dict[int, list[int]] = defaultdict(list)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "EmergencyOpened": self._opened,
            "EmergencyClosed": self._closed,
            "EmergencyReviewed": self._reviewed,
            "EmergencyPolicySet": self._policy_set,
            "EIP712DomainChanged": nothing,
        }

    def is_over(self, opening: Opening, time: int) -> bool:
        """Return what the contract's own rule says at a time: closed, expired or forbidden since."""
        forbidden = self.is_forbidden_since(opening.subject, opening.opened_at)
        return bool(opening.closed_at) or time >= opening.expires_at or forbidden

    def is_forbidden_since(self, subject: int, time: int) -> bool:
        forbids = self.forbids.get(subject, [])
        return bool(forbids) and forbids[-1] >= time

    def policy(self, subject: int) -> tuple[int, int]:
        """Return what the view ``emergencyPolicyOf`` says: policy and round, 0 where never set."""
        history = self.policies.get(subject)
        return history[-1][1:] if history else (EmergencyPolicy.LIMIT, 0)

    def policy_at(self, subject: int, time: int) -> int:
        """Return what the view ``emergencyPolicyAt`` says of a second."""
        past = self._past(subject, time)
        return EmergencyPolicy.LIMIT if past is None else past

    def _past(self, subject: int, time: int) -> int | None:
        """Return the policy set last by a second, or None."""
        steps = [policy for since, policy, _ in self.policies.get(subject, ()) if since <= time]
        return steps[-1] if steps else None

    def storage(self) -> Iterator[Entry]:
        yield from self._stored_policies()
        for identity, opening in self.openings.items():
            for place, value in enumerate(_words(opening)):
                yield Entry("_openings", (identity, place), value)
            if opening.reviewed_at:
                yield Entry("_unreviewed", (opening.member, 2, identity, 0), 0)
                yield Entry("_unreviewed", (opening.member, 2, identity, 1), 0)
        for member, queue in self.unreviewed.items():
            ends = (queue[0], queue[-1]) if queue else (_NOTHING, _NOTHING)
            for place, end in enumerate(ends):
                yield Entry("_unreviewed", (member, place), int.from_bytes(end))
            for older, identity, newer in zip(
                [_NOTHING, *queue], queue, [*queue[1:], _NOTHING], strict=False
            ):
                yield Entry("_unreviewed", (member, 2, identity, 0), int.from_bytes(older))
                yield Entry("_unreviewed", (member, 2, identity, 1), int.from_bytes(newer))

    def _stored_policies(self) -> Iterator[Entry]:
        """Both histories are OpenZeppelin's ``Checkpoints.Trace208``: an array of key 48, value 208."""
        for subject, history in self.policies.items():
            checkpoints = [(time, pack((policy, 8), (round_, 32))) for time, policy, round_ in history]
            yield from _trace("_policies", subject, checkpoints)
        for subject, times in self.forbids.items():
            yield from _trace("_forbids", subject, [(time, time) for time in times])

    def _opened(self, given: Arguments, _: Moment) -> None:
        self.openings[given["opening"]] = Opening(
            member=MemberId(given["member"]),
            countersigner=MemberId(given["countersigner"]),
            finding=_NOTHING,
            responder=Address(given["responder"]),
            subject=SubjectId(given["subject"]),
            opened_at=given["openedAt"],
            expires_at=given["expiresAt"],
            recorded_at=given["recordedAt"],
            closed_at=UnixSeconds(0),
            reviewed_at=UnixSeconds(0),
            late=given["late"],
        )
        self.reasons[given["opening"]] = given["reason"]
        self.unreviewed[given["member"]].append(given["opening"])

    def _closed(self, given: Arguments, _: Moment) -> None:
        found = self.openings[given["opening"]]
        self.openings[given["opening"]] = replace(found, closed_at=given["closedAt"])

    def _reviewed(self, given: Arguments, _: Moment) -> None:
        found = self.openings[given["opening"]]
        self.openings[given["opening"]] = replace(
            found, finding=given["finding"], reviewed_at=given["reviewedAt"]
        )
        self.unreviewed[found.member].remove(given["opening"])

    def _policy_set(self, given: Arguments, _: Moment) -> None:
        history, step = self.policies[given["subject"]], (given["setAt"], given["policy"], given["round"])
        if history and history[-1][0] == given["setAt"]:
            history[-1] = step  # one checkpoint a second
        else:
            history.append(step)
        times = self.forbids[given["subject"]]
        if given["policy"] == EmergencyPolicy.FORBID and given["setAt"] not in times[-1:]:
            times.append(given["setAt"])


def _words(opening: Opening) -> tuple[int, ...]:
    return (
        int.from_bytes(opening.member),
        int.from_bytes(opening.countersigner),
        int.from_bytes(opening.finding),
        pack((int(opening.responder, 16), 160), (opening.subject, 96)),
        pack(
            (opening.opened_at, 40),
            (opening.expires_at, 40),
            (opening.recorded_at, 40),
            (opening.closed_at, 40),
            (opening.reviewed_at, 40),
            (opening.late, 8),
        ),
    )


def _trace(variable: str, subject: int, checkpoints: list[tuple[int, int]]) -> Iterator[Entry]:
    yield Entry(variable, (word(subject),), len(checkpoints))
    for index, (time, value) in enumerate(checkpoints):
        yield Entry(variable, (word(subject), Element(index)), pack((time, 48), (value, 208)))
