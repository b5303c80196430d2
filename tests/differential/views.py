"""Everything the chain is asked after every act, with the answer that the models give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tests.differential.chain import Answer, error_name, function
from tests.differential.consent_rules import Entry
from tests.differential.documents import DELEGATION, ZERO, Delegation, Grant, words
from tests.differential.member_model import CUSTODIAN, RESPONDER
from tests.differential.world import World

UNUSED_SUBJECT = 999
_CONSENT_KINDS = (1, 2, 4, 5)
_BALANCE_OF = bytes.fromhex("70a08231")


@dataclass(frozen=True)
class View:
    """``expected``: the encoded answer, or the name of the error. ``settled`` puts an answer into the
    model's terms."""

    contract: str
    data: bytes
    expected: bytes | str
    label: str
    settled: Callable[[bytes], bytes] = bytes

    def is_answered(self, answer: Answer) -> bool:
        """Whether the chain gave this answer."""
        if isinstance(self.expected, str):
            return not answer.succeeded and error_name(answer.data) == self.expected
        return answer.succeeded and self.settled(answer.data) == self.expected


@dataclass
class Seen:
    """The acts played so far and the documents in them."""

    acts: list[Any] = field(default_factory=list)
    book: dict[bytes, Grant | Delegation] = field(default_factory=dict)

    def note(self, act: Any) -> None:
        self.acts.append(act)
        self.book |= {document.id: document for document in documents_in(act)}


def view(contract: str, name: str, arguments: bytes, expected: bytes | str) -> View:
    """Return the view of a function that takes and gives words only."""
    data = function(contract, name).selector + arguments
    return View(contract, data, expected, f"{name}(0x{arguments.hex()})")


def documents_in(value: Any) -> Iterator[Grant | Delegation]:
    """Every grant and delegation inside an act."""
    if isinstance(value, Grant | Delegation):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from documents_in(item)
    elif is_dataclass(value):
        for part in fields(value):
            yield from documents_in(getattr(value, part.name))


def chain_of(leaf: Delegation, book: dict[bytes, Grant | Delegation]) -> tuple[Delegation, ...]:
    """The delegation and all above it, as far as they are known."""
    chain = [leaf]
    while isinstance(parent := book.get(chain[-1].parent), Delegation) and len(chain) < 6:
        chain.append(parent)
    return tuple(chain)


def consent_views(world: World, seen: Seen) -> Iterator[View]:
    consents, registry, book = world.consents, "ConsentRegistry", seen.book
    yield from member_views(world, seen)
    # Slots and lives of all ids are asked after every act; one by one those of its documents, and all at
    # times.
    named = book if len(seen.acts) % 5 == 0 else {each.id for each in documents_in(seen.acts[-1])}
    for id_ in named:
        entry = consents.entries.get(id_)
        yield view(registry, "stateOf", id_, _state(world, entry))
        kind = entry.kind if entry and entry.kind != DELEGATION else 1
        yield view(registry, "isLive", id_ + words(kind), words(consents.is_live(id_, kind)))
    for kind in _CONSENT_KINDS:
        live = [consents.is_live(id_, kind) for id_ in book]
        listed = words(64, kind, len(book), *book)
        yield view(registry, "areLive", listed, words(32, len(live), *live))
    yield view(registry, "areLive", words(64, DELEGATION, 0), "ChainNeeded")
    for subject in (*consents.subjects, UNUSED_SUBJECT):
        yield from _subject_views(world, subject, [id_ for id_ in book if book[id_].subject == subject])
    for leaf in book.values():
        if isinstance(leaf, Delegation):
            yield from _chain_views(world, chain_of(leaf, book))


def member_views(world: World, _seen: Seen) -> Iterator[View]:
    """Every member by id and by account, with its roles one by one and together."""
    contract, members = "ParticipantRegistry", world.members
    accounts = {member.held.account for member in members.members.values()} | {members.operator}
    for id_ in (*members.members, b"\x98" * 32):
        found = members.members.get(id_)
        stored = words(0, 0, 0, 0, 0, 0)
        if found:
            held = found.held
            stored = words(held.account, found.roles, held.expiry, found.standing, held.credential, held.key)
        yield view(contract, "memberById", id_, stored)
        for roles in (0, CUSTODIAN, found.roles if found else RESPONDER):
            has = members.member_has_role(id_, roles)
            yield view(contract, "memberHasRole", id_ + words(roles), words(has))
    for account in accounts:
        yield view(contract, "memberOf", words(account), members.member_of(account))
        for roles in (CUSTODIAN, RESPONDER):
            asked, id_ = words(account, roles), members.member_with_role(account, roles)
            yield view(contract, "memberWithRole", asked, id_)
            yield view(contract, "hasRole", asked, words(id_ != ZERO))


def record_views(world: World, seen: Seen) -> Iterator[View]:
    """What each custodian that ever acted has of each commitment, and which transfers were made."""
    yield from member_views(world, seen)
    records, acts = world.records, seen.acts
    commitments = {act.commitment for act in acts if hasattr(act, "commitment")}
    commitments |= {each for act in acts for each in getattr(act, "commitments", ())}
    custodians = {member.held.account for member in world.members.members.values()}
    for custodian in custodians | {custodian for custodian, _ in records.held}:
        for commitment in commitments:
            found = records.held.get((custodian, commitment))
            expected = words(found.committed_at, found.withdrawn_at) if found else words(0, 0)
            yield view("RecordRegistry", "commitmentOf", words(custodian) + commitment, expected)
    for act in acts:
        if hasattr(act, "giver"):
            is_made = act.hashed in records.transferred
            yield view("RecordRegistry", "isTransferred", act.hashed, words(is_made))


def emergency_views(world: World, seen: Seen) -> Iterator[View]:
    yield from member_views(world, seen)
    emergencies, contract = world.emergencies, "EmergencyAccess"
    ids = {act.id for act in seen.acts if hasattr(act, "countersigner")}
    for id_ in ids:
        opening = emergencies.openings.get(id_)
        yield view(contract, "isOpen", id_, words(emergencies.is_open(id_)))
        stored = bytes(11 * 32)
        following = ZERO
        if opening:
            times = opening.opened_at, opening.expires_at, opening.recorded_at, opening.closed_at
            who = opening.member, opening.countersigner, opening.finding, opening.responder, opening.subject
            stored = words(*who, *times, opening.reviewed_at, opening.is_late)
            waiting = emergencies.unreviewed(opening.member)
            following = dict(pairwise(waiting)).get(id_, ZERO)
        yield view(contract, "openingOf", id_, stored)
        yield view(contract, "nextUnreviewedAfter", id_, following)
    for member in world.members.members:
        yield view(contract, "hasOverdueReview", member, words(emergencies.overdue(member)))
        waiting = emergencies.unreviewed(member)
        yield view(contract, "oldestUnreviewedOf", member, waiting[0] if waiting else ZERO)
    for subject in (*world.consents.subjects, UNUSED_SUBJECT):
        state = words(emergencies.policy(subject), emergencies.round(subject))
        yield view(contract, "emergencyPolicyOf", words(subject), state)
        for since, _ in emergencies.policies.get(subject, [])[-2:]:
            for time in (since - 1, since, since + 1):
                if time < world.clock.now:
                    stood = words(emergencies.policy_at(subject, time))
                    yield view(contract, "emergencyPolicyAt", words(subject, time), stood)


def key_views(world: World, seen: Seen) -> Iterator[View]:
    """The key of everybody, one by one and together."""
    yield from consent_views(world, seen)
    subjects = (*world.consents.subjects, UNUSED_SUBJECT)
    found = [words(*world.keys.key(subject)) for subject in subjects]
    for subject, key in zip(subjects, found, strict=True):
        yield view("KeyRegistry", "keyOf", words(subject), key)
    listed = words(32, len(subjects), *subjects)
    yield view("KeyRegistry", "keysOf", listed, words(32, len(subjects)) + b"".join(found))


def market_views(world: World, seen: Seen) -> Iterator[View]:
    market, contract, acts = world.market, "ResearchMarket", seen.acts
    for study in {act.study for act in acts if hasattr(act, "study")}:
        permit = market.permit(study)
        times = permit.not_before, permit.not_after, permit.revoked_at, permit.round
        yield view(contract, "permitOf", study, words(permit.rules, *times, permit.is_suspended))
        yield view(
            contract, "isPermitted", study + permit.rules, words(market.is_permitted(study, permit.rules))
        )
        yield view(contract, "isPermitted", study + b"\x44" * 32, words(False))
        yield view(contract, "lockedUntil", study, words(market.locked_until(study)))
    for study, custodian, result in market.results:
        asked = study + custodian + result
        yield view(contract, "resultOf", asked, words(market.results[study, custodian, result]))
    escrows = {act.escrow for act in acts if hasattr(act, "escrow")}
    for escrow in escrows:
        money = market.money(escrow)
        yield view(contract, "escrowIdOf", words(*escrow.members()), escrow.id)
        yield view(contract, "escrowOf", escrow.id, words(money.free, money.is_released))
    for round_, payout in market.payouts.items():
        times = payout.opens_at, payout.closes_at
        stored = words(payout.root, payout.remaining, *times, payout.attempt, payout.is_objected)
        if payout.is_rejected:
            stored = words(0, 0, 0, 0, payout.attempt, False)
        yield view(contract, "payoutOf", round_, stored)
        for index in range(8):
            yield view(contract, "isClaimed", round_ + words(index), words(index in payout.claimed))
    accounts = {act.payment.account for act in acts if hasattr(act, "payment")}
    for account in accounts | market.donations:
        yield view(contract, "isDonation", words(account), words(account in market.donations))
        yield view(contract, "studyOfPayee", words(account), market.payees.get(account, ZERO))
    for (token, account), amount in market.balances.items():
        name = "Coin" if token == world.coins[0] else "FeeCoin"
        yield View(name, _BALANCE_OF + words(account), words(amount), f"balanceOf({account})")


def _state(world: World, entry: Entry | None) -> bytes:
    if entry is None:
        return bytes(7 * 32)
    ended = world.consents.ended_at(entry)
    window = entry.not_before, entry.not_after
    return words(entry.subject, entry.kind, entry.epoch, *window, ended, 0 if ended else entry.tag)


def _subject_views(world: World, number: int, ids: list[bytes]) -> Iterator[View]:
    registry, found = "ConsentRegistry", world.consents.subjects.get(number)
    state, custodian, slot = words(0, 0, 0, 0), ZERO, 0
    if found:
        state = words(found.controller, found.epoch, found.count, True)
        custodian = found.custodian
        flags = 1 + 2 * found.is_recovery_flagged
        slot = int(found.controller, 16) | found.epoch << 160 | found.count << 192 | flags << 224
    yield view(registry, "subjectOf", words(number), state)
    yield view(registry, "openingCustodianOf", words(number), custodian)
    slots = [_shown_slot(world, world.consents.entries.get(id_)) for id_ in ids]
    listed = words(number, 64, len(ids), *ids)
    yield view(registry, "evidence", listed, words(slot, 64, len(slots), *slots))
    yield view("Recovery", "isRecoveryPending", words(number), words(world.recovery.is_pending(number)))
    recovery = world.recovery.state(number)
    stored = (
        *(recovery.policy, recovery.next_policy, recovery.next_from, recovery.policy_round),
        *(recovery.guardians_as_of, recovery.controller, recovery.proposed_at, recovery.round),
    )
    answer = view("Recovery", "recoveryOf", words(number), words(*stored, recovery.is_veto_spent))
    yield View(answer.contract, answer.data, answer.expected, answer.label, _settled_at(world.clock.now))


def _shown_slot(world: World, entry: Entry | None) -> int:
    if entry is None:
        return 0
    ended = world.consents.ended_at(entry)
    return Entry(**{**vars(entry), "revoked_at": ended}).slot()


def _settled_at(now: int) -> Callable[[bytes], bytes]:
    """Put a stored recovery into the terms of the documents: a policy that is due is in force."""

    def settled(answer: bytes) -> bytes:
        parts = [answer[at : at + 32] for at in range(0, len(answer), 32)]
        policy, later, due, *rest = parts
        if 0 < int.from_bytes(due) <= now:
            return later + words(0, 0) + b"".join(rest[:-1]) + words(False)
        return policy + later + due + b"".join(rest)

    return settled


def _chain_views(world: World, chain: tuple[Delegation, ...]) -> Iterator[View]:
    for powers in {chain[0].powers, 15}:
        faults = world.consents.chain_faults(chain[0].subject, chain, powers)
        data = _is_delegation_live(chain, powers)
        label = f"isDelegationLive({chain}, {powers})"
        yield View("ConsentRegistry", data, words(not faults), label)


@lru_cache(maxsize=10_000)
def _is_delegation_live(chain: tuple[Delegation, ...], powers: int) -> bytes:
    headers = [link.header() for link in chain]
    return bytes(function("ConsentRegistry", "isDelegationLive").encode([headers, powers]))
