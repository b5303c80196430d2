from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.audit import verify
from backend.audit.entry import Outcome
from backend.audit.errors import UnknownEntry
from backend.audit.log import AuditLog
from backend.audit.note import Ed25519Signer
from backend.audit.verify import VerificationError, check_chain, verify_bundle
from backend.types import LogIndex
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, CLINIC, ORIGIN, read_event


@pytest.fixture
def filled(world: World, log: AuditLog) -> World:
    """Nine entries, five of Anna's under two keys; the first six anchored."""
    for number in range(6):
        log.append(read_event(ANNA if number % 2 == 0 else BERTA, number=number))
    world.anchorer(log).run_once()
    world.keys.rotate(ANNA)
    for number in range(6, 9):
        log.append(read_event(ANNA if number % 2 == 0 else BERTA, number=number, outcome=Outcome.DENIED))
    return world


def through_json(bundle: Any) -> Any:
    return json.loads(json.dumps(bundle))


def keys(world: World) -> list[str]:
    return [world.signer.verifier_key]


def test_entry_bundle_verifies_with_nothing_but_the_key(filled: World, log: AuditLog) -> None:
    report = verify_bundle(through_json(filled.proofs(log).entry(ANNA, LogIndex(2))), keys(filled))
    (entry,) = report["entries"]
    assert (report["origin"], report["size"], report["complete"]) == (ORIGIN, 6, False)
    assert (entry["index"], entry["anchored"]) == (2, True)
    assert entry["event"]["purpose"] == "TREAT"
    assert entry["event"]["organisation"] == "0x" + CLINIC.hex()
    assert entry["recorded_at_ms"] == filled.clock.ms()
    assert report["anchor"]["block"] == 100


def test_entry_not_anchored_yet_gets_a_checkpoint_that_extends_the_anchored_one(
    filled: World, log: AuditLog
) -> None:
    report = verify_bundle(through_json(filled.proofs(log).entry(ANNA, LogIndex(8))), keys(filled))
    assert report["size"] == 9
    assert report["anchor"]["size"] == 6
    assert report["entries"][0]["anchored"] is False


def test_access_list_verifies_as_complete_over_a_key_rotation(filled: World, log: AuditLog) -> None:
    report = verify_bundle(through_json(filled.proofs(log).access_list(ANNA)), keys(filled))
    assert report["complete"] is True
    assert [e["index"] for e in report["entries"]] == [0, 2, 4, 6, 8]
    assert [e["event"]["outcome"] for e in report["entries"]] == ["permitted"] * 3 + ["denied"] * 2


def test_access_list_without_an_erased_epoch_says_it_is_not_complete(filled: World, log: AuditLog) -> None:
    filled.keys.erased.add((ANNA, 1))
    report = verify_bundle(through_json(filled.proofs(log).access_list(ANNA)), keys(filled))
    assert report["complete"] is False
    assert [e["index"] for e in report["entries"]] == [6, 8]


def test_access_list_of_a_patient_without_entries_verifies(filled: World, log: AuditLog) -> None:
    report = verify_bundle(through_json(filled.proofs(log).access_list(None)), keys(filled))
    assert report["entries"] == []


def test_unopened_entry_verifies_and_shows_nothing(filled: World, log: AuditLog) -> None:
    bundle = through_json(filled.proofs(log).closed_entry(LogIndex(1)))
    report = verify_bundle(bundle, keys(filled))
    assert "event" not in report["entries"][0]
    assert "record" not in bundle["entries"][0]


def test_bundle_for_an_entry_of_someone_else_does_not_exist(filled: World, log: AuditLog) -> None:
    with pytest.raises(UnknownEntry):
        filled.proofs(log).entry(ANNA, LogIndex(1))


def test_bundle_verifies_with_old_and_new_key_after_a_rotation(filled: World, log: AuditLog) -> None:
    old = through_json(filled.proofs(log).entry(ANNA, LogIndex(0)))
    rotated = Ed25519Signer(name=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(b"\x43" * 32))
    assert verify_bundle(old, [rotated.verifier_key, *keys(filled)])["size"] == 6
    with pytest.raises(VerificationError, match="not signed"):
        verify_bundle(old, [rotated.verifier_key])


PATHS_UNCHECKED = {
    "chain_id",
    "contract",
    "log_id",
    "block",
    "transaction",
}  # claims only the chain can confirm


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for key, v in value.items() for p in leaves_of(v, (*path, key))]
    if isinstance(value, list):
        return [p for place, v in enumerate(value) for p in leaves_of(v, (*path, place))]
    return [path]


def changes_of(value: Any) -> list[Any]:
    if isinstance(value, int):
        return [value + 1, value - 1, str(value), None]
    text = str(value)
    try:
        raw = bytearray(base64.b64decode(text, validate=True))
        raw[len(raw) // 2] ^= 1
        return [base64.b64encode(raw).decode(), text[:-4], text + "AAAA", "", None, 7]
    except ValueError:
        middle = len(text) // 2
        return [text[:middle] + chr(ord(text[middle]) ^ 1) + text[middle + 1 :], text + "x", "", None, 7]


def test_every_value_of_a_bundle_is_checked(filled: World, log: AuditLog) -> None:
    bundle = through_json(filled.proofs(log).access_list(ANNA))
    verify_bundle(bundle, keys(filled))
    checked = 0
    for path in leaves_of(bundle):
        if path[-1] in PATHS_UNCHECKED or path == ("chains", 1, "epoch"):
            continue  # the last epoch's number is named by nothing after it
        for change in changes_of(_get(bundle, path)):
            changed = copy.deepcopy(bundle)
            _get(changed, path[:-1])[path[-1]] = change
            try:
                report = verify_bundle(changed, keys(filled))
            except VerificationError:
                checked += 1
                continue
            # an epoch number that the next epoch does not name is an epoch that may be missing
            assert path == ("chains", 0, "epoch"), (path, change)
            assert report["complete"] is False
    assert checked > 150


def _get(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize("place", range(5))
def test_entry_left_out_of_a_list_is_found(filled: World, log: AuditLog, place: int) -> None:
    bundle = through_json(filled.proofs(log).access_list(ANNA))
    left_out = bundle["entries"].pop(place)
    with pytest.raises(VerificationError):
        verify_bundle(bundle, keys(filled))
    pseudonym = verify.decode_cbor(base64.b64decode(left_out["leaf"]))["p"]
    for chain in bundle["chains"]:
        chain["count"] -= base64.b64decode(chain["pseudonym"]) == pseudonym
    if place in (2, 4):  # the newest of a chain: only the next epoch, or a later list, can tell
        if place == 2:
            with pytest.raises(VerificationError, match="epoch before"):
                verify_bundle(bundle, keys(filled))
        return
    with pytest.raises(VerificationError, match="left out"):
        verify_bundle(bundle, keys(filled))


def test_entry_given_twice_or_of_another_patient_is_refused(filled: World, log: AuditLog) -> None:
    bundle = through_json(filled.proofs(log).access_list(ANNA))
    twice = copy.deepcopy(bundle)
    twice["entries"].append(twice["entries"][0])
    theirs = through_json(filled.proofs(log).access_list(BERTA))
    mixed = copy.deepcopy(theirs)
    if mixed["checkpoint"] == bundle["checkpoint"]:
        mixed["entries"] += bundle["entries"]
        mixed["chains"] += bundle["chains"]
        with pytest.raises(VerificationError, match="several patients"):
            verify_bundle(mixed, keys(filled))
    with pytest.raises(VerificationError, match="twice"):
        verify_bundle(twice, keys(filled))


def test_list_with_entries_of_a_chain_it_does_not_name_is_refused(filled: World, log: AuditLog) -> None:
    bundle = through_json(filled.proofs(log).access_list(ANNA))
    first, second = bundle["chains"]
    for chains in ([first], [second], [first, first], [first, second, first]):
        with pytest.raises(VerificationError, match="named chains"):
            verify_bundle({**bundle, "chains": chains}, keys(filled))


@pytest.mark.parametrize("bundle", [None, [], {}, "x", {"format": "other/1"}, {"format": verify.FORMAT}])
def test_malformed_bundles_are_refused(bundle: Any) -> None:
    with pytest.raises(VerificationError):
        verify_bundle(bundle, [])


def test_copied_out_verifier_runs_alone(filled: World, log: AuditLog, tmp_path: Path) -> None:
    copied = tmp_path / "verify.py"
    copied.write_bytes(Path(verify.__file__).read_bytes())
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    bundle = filled.proofs(log).access_list(ANNA)
    good.write_text(json.dumps(bundle))
    bundle["entries"][0]["index"] = 1
    bad.write_text(json.dumps(bundle))

    def run(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", str(copied), str(path), "--key", filled.signer.verifier_key]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    answer = run(good)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout)["complete"] is True
    answer = run(bad)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("NOT VERIFIED: ")
    assert "backend" not in copied.read_text()


class Chain:
    """Answers JSON-RPC as the contract would."""

    def __init__(self, size: int, root: str, *, chain_id: int = 77001) -> None:
        self.head = f"{size:064x}" + root + "0" * 128
        self.events: list[dict[str, str]] = []
        self.chain_id = chain_id

    def __call__(self, url: str, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_call":
                assert params[0]["data"].startswith("0x65c7d79d" + "1d" * 32)
                return "0x" + self.head
            case _:
                assert (params[0]["fromBlock"], params[0]["toBlock"]) == ("0x64", "0x64")
                return self.events


def test_anchor_is_compared_with_the_contract(
    filled: World, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = verify_bundle(through_json(filled.proofs(log).entry(ANNA, LogIndex(0))), keys(filled))["anchor"]
    root = base64.b64decode(anchor["root"]).hex()
    where = {"rpc": "http://127.0.0.1:1", "contract": anchor["contract"].lower(), "log_id": anchor["log_id"]}

    def ask(chain: Chain, **change: str) -> str:
        monkeypatch.setattr(verify, "_rpc", chain)
        return check_chain(anchor, **{**where, **change})

    assert "6 entries" in ask(Chain(6, root))
    later = Chain(9, "11" * 32)
    with pytest.raises(VerificationError, match="did not anchor"):
        ask(later)
    later.events = [{"data": "0x" + f"{6:064x}" + root}]
    assert "block 100" in ask(later)
    for wrong in (Chain(6, "22" * 32), Chain(5, root), Chain(0, "00" * 32), Chain(6, root, chain_id=1)):
        with pytest.raises(VerificationError):
            ask(wrong)
    with pytest.raises(VerificationError, match="another contract"):
        ask(Chain(6, root), contract="0x" + "bb" * 20)
    with pytest.raises(VerificationError, match="another contract"):
        ask(Chain(6, root), log_id="0x" + "bb" * 32)
    with pytest.raises(VerificationError, match="no anchor"):
        check_chain(None, **where)


def test_endpoint_that_is_not_http_is_refused() -> None:
    with pytest.raises(VerificationError, match="http"):
        verify._rpc("file:///etc/hostname", "eth_chainId", [])
