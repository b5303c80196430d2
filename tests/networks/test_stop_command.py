"""``assent ledger stop``: a signed stop is handed to a bare node of the network, and no service is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from eth_account import Account
from typer.testing import CliRunner

from backend.cli import app
from backend.commands.stopping import PASSPHRASE
from backend.consent.ledger_types import ConsentSlot
from backend.consent.terms import Grant
from backend.consent.terms_json import from_json
from backend.consent.typed_data import consent_id
from backend.demo.actors import Provider
from backend.types import ConsentId, SubjectId
from tests.integration.api.world import Patient, Service, in_days, permit_wish
from tests.networks.acts import read, under_way
from tests.networks.custodians import deployment_of, signed_stop
from tests.support.testnet import Testnet, until

SECRET = "a passphrase of nobody's"


@pytest.fixture(scope="module")
def account(network: Testnet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key file of somebody who has what pays for gas, and nothing to do with any custodian."""
    made = Account.create()
    network.fund([made.address])
    node = network.validators[1]
    until(lambda: int(node.ask("eth_getBalance", made.address, "latest"), 16) > 0, "the node knows it")
    return key_file(tmp_path_factory.mktemp("account"), made.key)


def key_file(folder: Path, key: bytes) -> Path:
    file = folder / "account.json"
    file.write_text(json.dumps(Account.encrypt(key, SECRET, kdf="pbkdf2", iterations=1000)))
    return file


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient]) -> Patient:
    return new_patient()


@pytest.fixture(scope="module")
def url(network: Testnet) -> str:
    """A node that no service asks."""
    return network.validators[1].node.rpc_url


def stop(content: object, folder: Path, *words: str | Path, secret: str = SECRET) -> Result:
    """Run the command on a file with this content, in a folder that holds nothing else."""
    file = folder / "stop"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    arguments = ["ledger", "stop", str(file), "--wait", "120", *map(str, words)]
    environment = {PASSPHRASE: secret, "ASSENT_DATA_DIRECTORY": str(folder / "none"), "COLUMNS": "200"}
    done = CliRunner().invoke(app, arguments, env=environment)
    assert not (folder / "none").exists()
    return done


def said(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(done: Result, code: str) -> str:
    assert done.exit_code == 2, done.output
    assert f"{code}:" in done.output, done.output
    return done.output


def ended_slot(service: Service, consent: str, block: int) -> ConsentSlot:
    """What the hospital's own node says of it, once it has the block."""
    stores = service.world.stores
    until(lambda: stores.chain.shown().head_number >= block, "the hospital's node has the block")
    names = (ConsentId(bytes.fromhex(consent[2:])),)
    return stores.ledger.evidence(SubjectId(1), names, block=stores.chain.shown().head_number).slots[0]


def permitted(service: Service, clinic: Provider, patient: Patient, days: float = 30) -> str:
    consent = patient.permit(clinic.member_id, not_after=in_days(days))
    until(lambda: read(clinic, patient).status_code == 200, "it is final")
    until(lambda: not under_way(service, "consent"), "it is settled")
    return consent


def revoke_all(patient: Patient) -> dict[str, Any]:
    """As the page saves a stop sheet."""
    draft = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})["typed_data"]
    return {
        "subject": patient.subject,
        "epoch": int(draft["message"]["epoch"]),
        "signature": patient.wallet.sign_typed(draft),
    }


def test_stop_of_one_consent_is_mined_and_denies(
    service: Service, patient: Patient, clinic: Provider, url: str, account: Path, tmp_path: Path
) -> None:
    consent = permitted(service, clinic, patient)
    assert read(clinic, patient).status_code == 200
    signed = signed_stop(patient, consent, service.http.get("/v1/ledger").json())
    words = ("--rpc", url, "--deployment", deployment_of(service), "--account", account, "--json")
    found = said(stop(signed, tmp_path, *words))
    assert (found["state"], found["kind"], found["consent_id"]) == ("ended", "permit", consent)
    assert found["subject"] == patient.subject
    node = service.world.stores.chain.rpc()
    until(lambda: node.call("eth_getTransactionReceipt", found["transaction"]) is not None, "it is known")
    receipt = node.call("eth_getTransactionReceipt", found["transaction"])
    assert (int(receipt["blockNumber"], 16), receipt["status"]) == (found["block"], "0x1")
    until(lambda: read(clinic, patient).json().get("code") == "consent_required", "the hospital denies")

    again = stop(signed, tmp_path, *words[:-1])
    assert again.exit_code == 0
    assert f"Ended before at {found['ended_at']}: permit {consent}" in again.output
    assert "Nothing was sent." in again.output


def test_typed_stop_sheet_ends_everything_and_says_what(
    service: Service,
    new_patient: Callable[[], Patient],
    clinic: Provider,
    url: str,
    account: Path,
    tmp_path: Path,
) -> None:
    patient = new_patient()
    standing = [permitted(service, clinic, patient, days) for days in (3, 4)]
    deny = str(patient.wallet.consent(kind="deny", purposes=["HMARKT"], not_after=in_days(9))["consent_id"])
    ended = permitted(service, clinic, patient, 5)
    patient.end(ended)
    signed = revoke_all(patient)
    ledger = service.http.get("/v1/ledger").json()
    sheet = (
        f"Stop everything\naccount\n{patient.wallet.address}\nsubject\n{signed['subject']}\n"
        f"epoch\n{signed['epoch']}\nsignature\n{signed['signature'][:70]}\n{signed['signature'][70:]}\n"
        f"chain\n{ledger['chain_id']}\ncontract\n{ledger['consent_registry']}\n"
    )
    done = stop(sheet, tmp_path, "--rpc", url, "--account", account)
    assert done.exit_code == 0, done.output
    assert (
        f"every permit and delegation of patient {patient.subject} up to epoch {signed['epoch']}"
        in done.output
    )
    assert all(f"  {consent}" in done.output for consent in standing)
    assert deny not in done.output
    assert ended not in done.output
    until(lambda: read(clinic, patient).json().get("code") == "consent_required", "the hospital denies")
    again = said(stop(sheet, tmp_path, "--rpc", url, "--account", account, "--json"))
    assert (again["state"], again["block"]) == ("ended_before", None)


def test_only_valid_stops_of_this_chain_and_these_contracts_are_sent(
    service: Service,
    network: Testnet,
    patient: Patient,
    clinic: Provider,
    url: str,
    account: Path,
    tmp_path: Path,
) -> None:
    consent = permitted(service, clinic, patient, 6)
    ledger = service.http.get("/v1/ledger").json()
    deployment = deployment_of(service)
    signed = signed_stop(patient, consent, ledger)
    node = ("--rpc", url, "--account", account)
    here = (*node, "--deployment", deployment)
    sender = Account.from_key(Account.decrypt(account.read_text(), SECRET)).address

    def transactions() -> int:
        return int(network.validators[1].ask("eth_getTransactionCount", sender, "pending"), 16)

    before = transactions()
    draft = patient.api.post("/v1/consents/draft", permit_wish(patient, clinic))
    grant = {"message": draft["message"], "signature": patient.wallet.sign_typed(draft["typed_data"])}
    refused(stop(grant, tmp_path, *here), "not_a_stop")
    refused(stop("not this", tmp_path, *here), "stop_unreadable")
    refused(stop(signed, tmp_path, *node), "stop_without_contract")
    elsewhere = signed_stop(patient, consent, {**ledger, "chain_id": ledger["chain_id"] + 1})
    refused(stop(elsewhere, tmp_path, *here), "wrong_signer")
    refused(stop({**elsewhere, "chain_id": ledger["chain_id"] + 1}, tmp_path, *here), "wrong_chain")
    refused(
        stop(
            {**elsewhere, "chain_id": ledger["chain_id"] + 1, "contract": ledger["consent_registry"]},
            tmp_path,
            *node,
        ),
        "wrong_chain",
    )
    registry = service.world.stores.deployment.address("RecordRegistry")
    refused(stop(signed, tmp_path, *node, "--contract", registry), "contract_code_differs")
    refused(stop(signed, tmp_path, *node, "--contract", sender), "contract_code_differs")
    refused(stop({**signed, "contract": sender}, tmp_path, *here), "wrong_chain")
    other = json.loads(deployment.read_text())
    file = tmp_path / "other.json"
    file.write_text(json.dumps({**other, "genesis_hash": "0x" + "11" * 32}))
    refused(stop(signed, tmp_path, *node, "--deployment", file), "wrong_chain")
    file.write_text(json.dumps({**other, "chain_id": other["chain_id"] + 1}))
    refused(stop(signed, tmp_path, *node, "--deployment", file), "wrong_chain")
    refused(stop({**signed, "consent_id": "0x" + "77" * 32}, tmp_path, *here), "consent_unknown")
    ahead = revoke_all(patient)
    refused(stop({**ahead, "epoch": ahead["epoch"] + 1}, tmp_path, *here), "wrong_signer")
    refused(stop({**ahead, "subject": "0x" + "ab" * 12}, tmp_path, *here), "consent_unknown")
    assert transactions() == before
    assert read(clinic, patient).status_code == 200


def test_stop_without_an_account_is_mined_where_a_validator_takes_it(
    service: Service, patient: Patient, clinic: Provider, url: str, tmp_path: Path
) -> None:
    consent = permitted(service, clinic, patient, 10)
    signed = signed_stop(patient, consent, service.http.get("/v1/ledger").json())
    found = said(stop(signed, tmp_path, "--rpc", url, "--deployment", deployment_of(service), "--json"))
    assert (found["state"], found["consent_id"]) == ("ended", consent)
    assert ended_slot(service, consent, found["block"]).revoked_at


def test_account_that_cannot_send_or_does_not_open_is_said_and_nothing_is_sent(
    service: Service,
    network: Testnet,
    patient: Patient,
    clinic: Provider,
    url: str,
    account: Path,
    tmp_path: Path,
) -> None:
    consent = permitted(service, clinic, patient, 8)
    signed = signed_stop(patient, consent, service.http.get("/v1/ledger").json())
    here = ("--rpc", url, "--deployment", deployment_of(service))
    poor = key_file(tmp_path, Account.create().key)
    assert "has 0 wei" in refused(stop(signed, tmp_path, *here, "--account", poor), "stop_not_sent")
    # Nodes do not pass on what pays nothing.
    bare = stop(signed, tmp_path, "--rpc", network.plain[1].node.rpc_url, *here[2:], "--wait", "5")
    assert "pays nothing" in refused(bare, "stop_not_sent")
    refused(stop(signed, tmp_path, *here, "--account", account, secret="another"), "account_file_invalid")
    refused(stop(signed, tmp_path, *here, "--account", tmp_path / "stop"), "account_file_invalid")
    closed = stop(signed, tmp_path, "--rpc", "http://127.0.0.1:1", *here[2:], "--account", account)
    refused(closed, "ledger_unavailable")
    assert read(clinic, patient).status_code == 200


def test_stop_of_a_grant_that_is_not_recorded_keeps_it_out(
    service: Service, patient: Patient, clinic: Provider, url: str, account: Path, tmp_path: Path
) -> None:
    wish = {
        "subject": patient.subject,
        "kind": "permit",
        "grantee": clinic.member_id,
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
        "not_after": in_days(2),
    }
    draft = patient.api.post("/v1/consents/draft", wish)
    name = "0x" + consent_id(from_json(Grant, draft["message"])).hex()
    signed = signed_stop(patient, name, service.http.get("/v1/ledger").json())
    here = ("--rpc", url, "--deployment", deployment_of(service), "--account", account, "--json")
    refused(stop(signed, tmp_path, *here), "consent_unknown")
    found = said(stop({**signed, "document": draft["message"]}, tmp_path, *here))
    assert (found["state"], found["consent_id"]) == ("ended", name)
    slot = ended_slot(service, name, found["block"])
    assert (slot.is_recorded, slot.revoked_at > 0) == (True, True)
