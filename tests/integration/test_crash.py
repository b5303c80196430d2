"""SIGKILL at random instants of each kind of act: nothing acknowledged is lost or repeated.

``ASSENT_KILL_POINTS`` raises the number of kills, ``ASSENT_KILL_LANES`` shares them out over as many programs
(for as many workers), ``ASSENT_KILL_SEED`` repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from backend.demo.actors import Api, Refused
from tests.support.process_world import (
    VOLUNTEERS,
    People,
    Program,
    Research,
    eventually,
    is_alive,
    run_cli,
    running_program,
)

KILL_POINTS = int(os.environ.get("ASSENT_KILL_POINTS", "12"))
LANES = int(os.environ.get("ASSENT_KILL_LANES", "1"))
SEED = int(os.environ.get("ASSENT_KILL_SEED", "0")) or secrets.randbelow(2**31) + 1
RETRY_SECONDS = 20.0
KINDS = ("store", "grant", "revoke", "erase", "anchor", "fund", "payout", "claim")


@dataclass(slots=True)
class Expected:
    """What the program owes: by name, what must be there exactly once."""

    records: dict[str, bytes] = field(default_factory=dict)
    granted: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    funded: dict[str, int] = field(default_factory=dict)  # by invoice
    paid_out: dict[str, int] = field(default_factory=dict)  # by result, what each patient gets
    claimed: set[str] = field(default_factory=set)  # payouts

    @property
    def kept(self) -> dict[str, bytes]:
        return {record: content for record, content in self.records.items() if record not in self.erased}


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with running_program(tmp_path) as running:
        yield running


def attempt(act: Callable[[], object]) -> bool:
    """Whether the act was acknowledged; a connection that broke or a 503 says that it was not."""
    try:
        act()
    except httpx.TransportError:
        return False
    except Refused as refusal:
        if refusal.status == 503:
            return False
        raise
    return True


def retried(act: Callable[[], object]) -> None:
    """Send the same request until it is acknowledged, as a client does."""
    eventually(lambda: attempt(act), seconds=RETRY_SECONDS, what="a retry is acknowledged")


def kill_during(program: Program, act: Callable[[], object], *, after: float) -> bool:
    """Start the act, kill the program, start it again; return whether the act was acknowledged."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(attempt(act)))
    thread.start()
    time.sleep(after)
    children = program.kill()
    thread.join(30)
    assert children, "the servers were running"
    eventually(
        lambda: not any(is_alive(pid) for pid in children), seconds=5, what="no child outlives the program"
    )
    program.start()
    return answers == [True]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lane", range(LANES))
def test_program_killed_at_random_instants_keeps_every_acknowledged_act_exactly_once(
    program: Program, lane: int, record_property: Callable[[str, object], None]
) -> None:
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it for a failed run
    record_property("seed", SEED)
    dice, people, expected = random.Random(SEED + lane), People(program), Expected()
    expected.funded |= people.research.funded
    expected.granted.add(people.standing)
    timing = _undisturbed(people, expected)
    acknowledged: Counter[str] = Counter()
    for number in range(lane, KILL_POINTS, LANES):
        kind = KINDS[number // LANES % len(KINDS)]
        act = _prepare(people, expected, kind, number)
        done = kill_during(program, act, after=dice.uniform(0, 1.3 * timing[kind]))
        people.reconnect()
        acknowledged[f"{kind} {'acknowledged' if done else 'not acknowledged'}"] += 1
        if done:
            _check_now(people, expected, kind)
        retried(act)
        _check_now(people, expected, kind)
    print(dict(acknowledged))  # noqa: T201
    eventually(lambda: program.unfinished_acts() == 0, seconds=40, what="the outbox drains")
    _check_everything(people, expected)
    assert program.stop() == 0
    _check_stores(program, expected)
    program.start()
    people.reconnect()
    _check_everything(people, expected)


def test_chain_or_index_killed_alone_comes_back_and_nothing_is_lost(program: Program) -> None:
    people, expected = People(program), Expected()
    expected.funded |= people.research.funded
    expected.granted.add(people.standing)
    _undisturbed(people, expected)
    for name in ("anvil", "nx-27017"):
        before = program.child(name)
        os.kill(before, signal.SIGKILL)
        act = _prepare(people, expected, "store", len(expected.records))
        retried(act)
        retried(_prepare(people, expected, "grant", 0))
        retried(_prepare(people, expected, "revoke", 0))
        assert program.child(name) != before
    assert program.http.get("/health/ready").json()["ready"]
    eventually(lambda: program.unfinished_acts() == 0, seconds=40, what="the outbox drains")
    _check_everything(people, expected)
    children = list(program.children())
    assert program.stop() == 0
    assert not any(is_alive(pid) for pid in children)
    _check_stores(program, expected)


def _undisturbed(people: People, expected: Expected) -> dict[str, float]:
    """Do each act once; return how many seconds each took."""
    timing = {}
    for kind in KINDS:
        act = _prepare(people, expected, kind, -1)
        began = time.monotonic()
        act()
        timing[kind] = time.monotonic() - began
    return timing


def _prepare(people: People, expected: Expected, kind: str, number: int) -> Callable[[], object]:
    """Return the one request of the act, ready to be sent any number of times, and note what it owes."""
    api = people.patient.api
    if kind == "store":
        key, content = f"document-{number}-{secrets.token_hex(4)}", f"Report {number}. ".encode() * 40

        def store() -> None:
            expected.records[people.store(key, content)] = content

        return store
    if kind == "grant":
        consent, body = people.draft(people.other.member_id, days=10 + number)
        expected.granted.add(consent)
        return lambda: api.post("/v1/consents", body)
    if kind == "erase":
        record = people.store(f"erased-{number}-{secrets.token_hex(4)}", b"A report to forget.")
        expected.records[record] = b"A report to forget."
        expected.erased.add(record)
        body = {"subject": people.patient.subject, "record_id": record, "grace_hours": 0}
        headers = {"Idempotency-Key": f"erase-{record}"}
        return lambda: api.call("POST", "/v1/erasures", json=body, headers=headers)
    if kind in ("fund", "payout", "claim"):
        return _prepare_money(people.research, expected, kind, number)
    if kind == "anchor":
        size = _log(people)[0]
        return lambda: eventually(lambda: _log(people)[1] >= size, seconds=15, what="the log is anchored")
    consent = people.permit(people.other.member_id, days=100 + number)
    stop = people.stop_for(consent)
    expected.granted.add(consent)
    expected.revoked.add(consent)
    # Without a token, as anyone may hand it in.
    return lambda: Api(people.program.http).post("/v1/revocations", stop)


def _prepare_money(research: Research, expected: Expected, kind: str, number: int) -> Callable[[], object]:
    if kind == "fund":
        invoice, amount = f"INV-{number}-{secrets.token_hex(4)}", 1000 + number
        expected.funded[invoice] = amount
        return lambda: research.fund(invoice, amount)
    result = research.run()
    if kind == "payout":
        expected.paid_out[result] = 20 + number
        return lambda: research.propose(result, 20 + number)
    expected.paid_out[result] = 70
    round_ = research.propose(result, 70)
    expected.claimed.add(round_)
    return lambda: research.claim(round_)


def _log(people: People) -> tuple[int, int]:
    """How many entries the log has, and how many of them are anchored on the chain."""
    answer = httpx.get(f"{people.program.url}/v1/log/checkpoint", timeout=30).json()
    return int(answer["checkpoint"].splitlines()[1]), answer["anchored_size"]


def _check_now(people: People, expected: Expected, kind: str) -> None:
    """What was just acknowledged is in force at once."""
    if kind == "store":
        record = next(reversed(expected.kept))
        assert list(people.clinic.read(record).values()) == [expected.records[record]]
        return
    if kind == "erase":
        record = next(reversed(expected.records))
        with pytest.raises(Refused):
            people.clinic.read(record)
        return
    if kind in ("fund", "payout", "claim"):
        _check_money(people.research, expected)
        return
    states = {consent["consent_id"]: consent["state"] for consent in people.consents()}
    for consent in expected.granted:
        if consent not in expected.revoked:
            assert states[consent] == "live"
        elif kind == "revoke":
            assert states[consent] == "revoked"


def _check_everything(people: People, expected: Expected) -> None:
    """Each act is there once: in the lists, and in the audit log."""
    for record, content in expected.kept.items():
        assert list(people.clinic.read(record).values()) == [content]
    assert Counter(people.listed_records()) == Counter(dict.fromkeys(expected.kept, 1))
    states = {consent["consent_id"]: consent["state"] for consent in people.consents()}
    assert states == {
        consent: "revoked" if consent in expected.revoked else "live" for consent in expected.granted
    }
    assert len(people.consents()) == len(expected.granted)
    _check_money(people.research, expected)
    claims = [entry for entry in people.research.entries() if entry["type"] == "payment.claimed"]
    assert Counter(entry["detail"]["round"] for entry in claims) == Counter(
        dict.fromkeys(expected.claimed, 1)
    )
    entries = people.entries()

    def logged(kind: str, member: str) -> Counter[str]:
        return Counter(name for entry in entries if entry["type"] == kind for name in entry[member])

    assert logged("record.stored", "records") == Counter(dict.fromkeys(expected.records, 1))
    assert logged("record.erased", "records") == Counter(dict.fromkeys(expected.erased, 1))
    assert logged("consent.granted", "consents") == Counter(dict.fromkeys(expected.granted, 1))
    assert logged("consent.revoked", "consents") == Counter(dict.fromkeys(expected.revoked, 1))


def _check_money(research: Research, expected: Expected) -> None:
    """Each deposit, payout and claim is on the chain once."""
    (escrow,) = research.escrows()
    assert Counter(int(deposit["amount"]) for deposit in escrow["deposits"]) == Counter(
        expected.funded.values()
    )
    assert {each["invoice"]: int(each["amount"]) for each in escrow["invoices"]} == expected.funded
    payouts = research.payouts()
    assert Counter(payout["result"] for payout in payouts) == Counter(dict.fromkeys(expected.paid_out, 1))
    for payout in payouts:
        share = expected.paid_out[payout["result"]]
        assert (int(payout["share"]), int(payout["total"])) == (share, 10 * share)
        claimed = payout["round"] in expected.claimed
        assert int(payout["remaining"]) in ((9 * share,) if claimed else (10 * share,))
    owed = sum(int(payout["total"]) for payout in payouts)
    assert int(escrow["available"]) == sum(expected.funded.values()) - owed


def _check_stores(program: Program, expected: Expected) -> None:
    verified = run_cli("ledger", "verify", "--data-directory", program.data)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    checked = run_cli("fsck", "--json", "--data-directory", program.data)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    report = json.loads(checked.stdout)
    assert report["sound"], report["damage"]
    assert report["checked"]["record versions"] == len(expected.kept) + VOLUNTEERS
    assert report["checked"]["consents"] == len(expected.granted) + VOLUNTEERS
    assert report["checked"]["payouts"] == len(expected.paid_out)
