"""Identity on a real MongoDB-wire server: the same races as in memory, and what each store promises."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from backend.adapters.index.blind import BlindIndex
from backend.adapters.index.identity_store import (
    MongoAttemptCounter,
    MongoClientStore,
    MongoEnrolmentStore,
    MongoFamilyStore,
    MongoSigningKeyStates,
    MongoSingleUse,
    MongoStaffStore,
)
from backend.adapters.index.server import IndexUnavailable, connect
from backend.errors import AssentError
from backend.identity.errors import (
    EnrolmentAlreadyClaimed,
    EnrolmentCodeRefused,
    RefreshTokenInvalid,
    RefreshTokenReused,
    SignInFailed,
    SignInLocked,
    SignInNonceRefused,
    TokenRevoked,
    UsernameTaken,
)
from backend.identity.roles import Role
from backend.identity.types import Guardian
from backend.sealed import DocumentSealer
from backend.types import UnixSeconds
from tests.support.memory_keys import MemoryKeyStore
from tests.unit.identity.memory import (
    MemoryAttemptCounter,
    MemoryClientStore,
    MemoryEnrolmentStore,
    MemoryFamilyStore,
    MemorySigningKeyStates,
    MemorySingleUse,
    MemoryStaffStore,
)
from tests.unit.identity.world import (
    CLINIC,
    OTHER_CLINIC,
    PARENT,
    PASSWORD,
    PATIENT,
    STRANGER,
    Stores,
    World,
    at_once,
    sign_command,
)

DESK = frozenset({Role.IDENTITY_DESK})


def _mongo_stores(database: Database[dict[str, Any]]) -> Stores:
    keys = MemoryKeyStore()
    return Stores(
        staff=MongoStaffStore(database, blind=BlindIndex(keys, "staff"), documents=DocumentSealer(keys)),
        clients=MongoClientStore(database),
        families=MongoFamilyStore(database),
        signing_keys=MongoSigningKeyStates(database),
        attempts=MongoAttemptCounter(database, blind=BlindIndex(keys, "sign-in-attempts")),
        single_use=MongoSingleUse(database),
        enrolments=MongoEnrolmentStore(database),
    )


def _memory_stores() -> Stores:
    return Stores(
        MemoryStaffStore(),
        MemoryClientStore(),
        MemoryFamilyStore(),
        MemorySigningKeyStates(),
        MemoryAttemptCounter(),
        MemorySingleUse(),
        MemoryEnrolmentStore(),
    )


@pytest.fixture(params=["memory", "mongo"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    """The conformance suite runs on the stand-in of the unit tests too, so that it stands in truly."""
    if request.param == "memory":
        yield _memory_stores()
    else:
        yield _mongo_stores(request.getfixturevalue("mongo"))


@pytest.fixture
def world(stores: Stores) -> World:
    return World(stores)


def test_single_use_twenty_at_once_is_consumed_once(stores: Stores) -> None:
    used, _ = at_once(20, lambda _: stores.single_use.consume("sign-in", "a", until=UnixSeconds(9)))
    assert used.count(True) == 1
    assert stores.single_use.consume("other", "a", until=UnixSeconds(9))
    stores.single_use.purge(now=UnixSeconds(8))
    assert not stores.single_use.consume("other", "a", until=UnixSeconds(9))
    stores.single_use.purge(now=UnixSeconds(9))
    assert stores.single_use.consume("other", "a", until=UnixSeconds(9))


def _reserve(stores: Stores, now: int) -> bool:
    return stores.attempts.reserve("k", now=UnixSeconds(now), limit=5, lock_seconds=900)


def test_attempts_twenty_at_once_are_granted_five(stores: Stores) -> None:
    granted, _ = at_once(20, lambda _: _reserve(stores, 1000))
    assert granted.count(True) == 5
    assert not _reserve(stores, 1899)
    assert _reserve(stores, 1900)


def test_attempts_start_anew_after_a_pause_and_after_clear(stores: Stores) -> None:
    assert all(_reserve(stores, 1000) for _ in range(4))
    assert all(_reserve(stores, 1900) for _ in range(4))
    stores.attempts.clear("k")
    assert all(_reserve(stores, 1900) for _ in range(5))
    assert not _reserve(stores, 1900)
    stores.attempts.purge(before=UnixSeconds(2000))
    assert not _reserve(stores, 1900)
    stores.attempts.purge(before=UnixSeconds(2801))
    assert _reserve(stores, 1900)


def test_staff_is_kept_whole_and_names_are_unique(world: World, stores: Stores) -> None:
    made = world.staff.create(
        "desk",
        PASSWORD,
        roles=frozenset({Role.AUDITOR, Role.IDENTITY_DESK}),
        member_id=CLINIC,
        organisations=(CLINIC, OTHER_CLINIC),
        account=PATIENT.account,
        by="",
    )
    assert stores.staff.get(made.staff_id) == stores.staff.by_username("desk") == made
    assert list(stores.staff.all()) == [made]
    assert stores.staff.get("nobody") is None
    with pytest.raises(UsernameTaken):
        world.staff.create("desk", PASSWORD, roles=DESK, by="")


def test_staff_of_one_name_made_by_ten_at_once_is_one(world: World) -> None:
    made, refused = at_once(10, lambda _: world.staff.create("desk", PASSWORD, roles=DESK, by=""))
    assert (len(made), {refusal.code for refusal in refused}) == (1, {UsernameTaken.code})


def test_replace_of_one_revision_by_ten_at_once_happens_once(world: World, stores: Stores) -> None:
    made = world.staff.create("desk", PASSWORD, roles=DESK, by="")
    client, _ = world.clients.register("c", roles=frozenset({Role.PROVIDER}), member_id=CLINIC, by="")
    enrolment = stores.enrolments.get(world.issue().subject_id)
    assert enrolment is not None
    for store, row in ((stores.staff, made), (stores.clients, client), (stores.enrolments, enrolment)):
        following: Any = replace(row, revision=2)
        swap: Any = store.replace
        done, _ = at_once(10, functools.partial(_ignoring_number, swap, following))
        assert done.count(True) == 1


def _ignoring_number(act: Any, row: Any, _: int) -> Any:
    return act(row)


def test_client_is_kept_whole_through_changes(world: World, stores: Stores) -> None:
    client, secret = world.clients.register(
        "lab", roles=frozenset({Role.PROVIDER}), member_id=CLINIC, organisations=(OTHER_CLINIC,), by=""
    )
    assert stores.clients.get(client.client_id) == client
    world.clients.rotate_secret(client.client_id, overlap_seconds=60, by="")
    world.clients.sign_in(client.client_id, secret)
    assert [row.client_id for row in world.clients.all()] == [client.client_id]


def test_guesses_twenty_at_once_are_looked_at_five_times(world: World) -> None:
    world.staff.create("desk", PASSWORD, roles=DESK, by="")
    _, refused = at_once(20, lambda _: world.staff.sign_in("desk", "wrong"))
    codes = [refusal.code for refusal in refused]
    assert (codes.count(SignInFailed.code), codes.count(SignInLocked.code)) == (5, 15)


def test_nonce_twenty_at_once_wins_once(world: World) -> None:
    message = world.wallets.challenge(PATIENT.account).message
    signature = PATIENT.personal_sign(message)
    worlds = [world.again() for _ in range(4)]
    won, refused = at_once(20, lambda number: worlds[number % 4].wallets.sign_in(message, signature))
    assert (len(won), {refusal.code for refusal in refused}) == (1, {SignInNonceRefused.code})


def test_refresh_twenty_at_once_wins_once_and_ends_the_family(world: World) -> None:
    pair = world.sign_in(PATIENT)
    worlds = [world.again() for _ in range(4)]
    won, refused = at_once(20, lambda number: worlds[number % 4].tokens.refresh(pair.refresh_token))
    assert len(won) == 1
    assert {refusal.code for refusal in refused} <= {RefreshTokenReused.code, RefreshTokenInvalid.code}
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(won[0].access_token)


def test_refresh_goes_on_from_token_to_token(world: World) -> None:
    pair = world.sign_in(PATIENT)
    for _ in range(3):
        pair = world.again().tokens.refresh(pair.refresh_token)
    world.identity.authenticate(pair.access_token)


def test_families_end_once_and_all_of_a_principal(world: World, stores: Stores) -> None:
    first, second, other = world.sign_in(PATIENT), world.sign_in(PATIENT), world.sign_in(STRANGER)
    ended, _ = at_once(10, lambda _: stores.families.end(first.family_id))
    assert ended.count(True) == 1
    assert stores.families.end_all(f"wallet:{PATIENT.account}") == 1
    for pair in (first, second):
        with pytest.raises(TokenRevoked):
            world.identity.authenticate(pair.access_token)
    world.identity.authenticate(other.access_token)
    stores.families.purge(now=UnixSeconds(world.clock.now + 40 * 24 * 3600))
    assert stores.families.get(other.family_id) is None


def test_signing_key_first_made_in_eight_processes_is_one(world: World, stores: Stores) -> None:
    worlds = [world.again() for _ in range(8)]
    keys, refused = at_once(8, lambda number: worlds[number].ring.signer().key_id)
    assert (len(set(keys)), refused) == (1, [])
    world.ring.rotate(by="")
    assert [state.generation for state in stores.signing_keys.all()] == [1, 2]
    assert stores.signing_keys.all()[0].verify_until is not None


def test_claim_twenty_at_once_is_won_by_one_account(world: World) -> None:
    issued = world.issue()
    wallets = (PATIENT, PARENT, STRANGER)
    messages = [world.enrolments.draft(issued.code, wallet.account) for wallet in wallets]
    worlds = [world.again() for _ in range(4)]

    def claim(number: int) -> Any:
        wallet, message = wallets[number % 3], messages[number % 3]
        enrolments = worlds[number % 4].enrolments
        for _ in range(500):
            try:
                return enrolments.claim(
                    issued.code, wallet.account, message=message, signature=sign_command(wallet, message)
                )
            except EnrolmentCodeRefused:  # more than five in the air at once: tried again, as a person would
                continue
        raise AssertionError("never got through")

    won, refused = at_once(20, claim)
    assert len({claim.account for claim in won}) == 1
    assert {refusal.code for refusal in refused} == {EnrolmentAlreadyClaimed.code}
    assert world.enrolments.account_of(issued.subject_id) == won[0].account


def test_enrolment_is_kept_whole_and_found_every_way(world: World, stores: Stores) -> None:
    guardian = Guardian(PARENT.account, "MTH", "certificate")
    issued = world.issue(guardian, record_number="MRN-7")
    claim = world.claim(issued.code, PARENT)
    assert claim.guardian == guardian
    row = stores.enrolments.get(issued.subject_id)
    assert row is not None
    assert stores.enrolments.by_record_index(row.record_index) == row
    assert list(stores.enrolments.by_account(PARENT.account)) == [row]
    assert row.subject_id in stores.enrolments.subjects()
    assert list(stores.enrolments.unopened()) == [row]
    world.enrolments.mark_opened(issued.subject_id)
    assert list(stores.enrolments.unopened()) == []
    assert world.claim(issued.code, PARENT).opened
    assert not stores.enrolments.insert(row)
    assert stores.enrolments.count_attempt("ZZZZZ", limit=5) is None


def test_second_process_reads_what_the_first_wrote(world: World) -> None:
    claim = world.claim(world.issue(record_number="MRN-7").code, PATIENT)
    token = world.sign_in(PATIENT).access_token
    other = world.again()
    assert other.identity.authenticate(token).subject_ids == {claim.subject_id}
    reference = world.references.refer(CLINIC, "MRN-7")
    assert other.references.resolve(CLINIC, reference) == claim.subject_id


def test_index_holds_no_identifier_token_code_or_password_in_clear(mongo: Database[dict[str, Any]]) -> None:
    world = World(_mongo_stores(mongo))
    issued = world.issue(record_number="MRN-SECRET-7")
    world.claim(issued.code, PATIENT)
    pair = world.sign_in(PATIENT)
    world.staff.create("ada.desk", PASSWORD, roles=DESK, by="")
    world.staff.sign_in("ada.desk", PASSWORD)
    _, secret = world.clients.register("lab", roles=frozenset({Role.PROVIDER}), member_id=CLINIC, by="")
    text = repr([list(mongo[name].find()) for name in mongo.list_collection_names()])
    hidden = [
        "MRN-SECRET-7",
        "Ada Example",
        "1990-05-17",
        "ada.desk",
        hashlib.sha256(b"ada.desk").hexdigest(),
        issued.code,
        issued.code.replace("-", ""),
        pair.access_token,
        pair.refresh_token,
        PASSWORD,
        secret,
    ]
    assert [item for item in hidden if item in text] == []


def test_index_that_does_not_answer_is_said_so(mongo: Database[dict[str, Any]]) -> None:
    nowhere = connect("mongodb://127.0.0.1:9/?directConnection=true", database="d", timeout_ms=200)
    stores = _mongo_stores(mongo)
    for store in vars(stores).values():
        for name, member in vars(store).items():
            if isinstance(member, Collection):
                setattr(store, name, nowhere[member.name])
    calls: list[Callable[[], object]] = [
        lambda: stores.staff.get("a"),
        lambda: stores.clients.get("a"),
        lambda: stores.families.get("a"),
        lambda: stores.families.end("a"),
        stores.signing_keys.all,
        lambda: stores.single_use.consume("a", "b", until=UnixSeconds(1)),
        lambda: _reserve(stores, 1),
        lambda: stores.enrolments.count_attempt("AAAAA", limit=5),
    ]
    try:
        for call in calls:
            with pytest.raises(AssentError) as failure:
                call()
            assert isinstance(failure.value, IndexUnavailable)
    finally:
        nowhere.client.close()
