"""Two organisations, each with a complete service of its own, on one chain.

The hospital deployed the contracts and operates the registry. The clinic's service joined them: it asks
another node and has its own index, key store, block store and log. Nothing passes between the two services
but what people and operators would carry over, and the chain.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32, HexStr

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import SignedTransaction
from backend.adapters.ledger.custodian import CustodianNotAdmitted
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.wiring import ledger_adapters
from backend.audit.tile_paths import tiles_of
from backend.audit.verify import main as verify
from backend.audit.verify import verify_bundle
from backend.consent.revocations import ACT
from backend.consent.stop_watch import INTERVAL_SECONDS
from backend.consent.terms import Grant
from backend.consent.terms_json import from_json
from backend.consent.typed_data import consent_id
from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import open_stores
from backend.types import Address, Bytes32, ConsentId, SubjectId
from scripts.testnet.node import GethNode
from tests.integration.api.world import Patient, Service, assert_problem, enrol, in_days, provider, raw, staff
from tests.networks.acts import read, row_of, under_way
from tests.networks.custodians import (
    ask_token,
    command,
    deployment_of,
    hand_in,
    join,
    member_id,
    open_custodian,
    read_with,
    signed_stop,
)
from tests.support.faulty_rpc import Fault, FaultyRpc
from tests.support.testnet import Testnet, head, until

CUSTODIAN = ["custodian", "provider", "relayer"]
NOBODY = "0x" + "5a" * 32  # a member id that nobody has


@pytest.fixture(scope="module")
def lakeside(
    service: Service, operator: Api, network: Testnet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The clinic's own service, which asks the other plain node."""
    with open_custodian(
        tmp_path_factory.mktemp("lakeside"),
        "lakeside",
        beside=service,
        operator=operator,
        network=network,
        url=network.plain[1].node.rpc_url,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def lakeside_operator(lakeside: Service) -> Api:
    return staff(lakeside, "operator", Role.OPERATOR)


@pytest.fixture(scope="module")
def clinic(service: Service, operator: Api, lakeside: Service) -> Provider:
    """The clinic's system as the hospital knows it: a client of the member that the clinic's service is."""
    return provider(service, operator, "Lakeside's system", member_id(lakeside))


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient]) -> Patient:
    """Enrolled at the hospital, and nowhere else."""
    return new_patient()


@pytest.fixture
def permitted(patient: Patient, clinic: Provider) -> Iterator[str]:
    """A permit to the clinic that is final."""
    consent = patient.permit(clinic.member_id)
    until(lambda: read(clinic, patient).status_code == 200, "the grant is final")
    yield consent
    patient.end(consent)


def ledger_of(service: Service) -> dict[str, Any]:
    answer: dict[str, Any] = service.http.get("/v1/ledger").json()
    return answer


def ended_in_log(patient: Patient, consent: str) -> bool:
    return any(
        (entry["type"], entry["consents"]) == ("consent.revoked", [consent]) for entry in patient.accesses()
    )


def logged_of(custodian: Service, consent: str) -> dict[str, Any]:
    """What an auditor of this custodian finds in its log about a consent, newest first."""
    auditor = staff(custodian, "auditor", Role.AUDITOR)
    keys = list(custodian.world.services.log_keys.verifier_keys)
    newest = int(custodian.http.get("/v1/log/checkpoint").json()["checkpoint"].split("\n")[1])
    for index in reversed(range(newest)):
        bundle = auditor.get(f"/v1/log/entries/{index}/proof", opened=True)
        event: dict[str, Any] = verify_bundle(bundle, keys)["entries"][0].get("event", {})
        if event.get("consents") == [consent]:
            return event
    raise AssertionError("the log has nothing of it")


def funded(network: Testnet, node: GethNode) -> LocalAccount:
    """An account of nobody's that has what pays for gas, as this node knows."""
    account: LocalAccount = Account.create()
    network.fund([account.address])
    until(lambda: int(node.ask("eth_getBalance", account.address, "latest"), 16) > 0, "the node knows it")
    return account


def denied(clinic: Provider, patient: Patient) -> bool:
    """Whether a read is refused because there is no consent; anything else than that or an answer fails."""
    answer = read(clinic, patient)
    if answer.status_code == 200:
        return False
    assert_problem(answer, 403, "consent_required")
    return True


# Joining


def test_second_service_is_complete_and_on_the_same_contracts(
    service: Service, lakeside: Service, operator: Api, lakeside_operator: Api
) -> None:
    first, second = service.world.stores, lakeside.world.stores
    assert first.directory.index != second.directory.index
    assert first.tenant != second.tenant
    assert set(lakeside.http.get("/health/ready").json()["parts"].values()) == {"up"}
    assert {**ledger_of(service), "tenant": ""} == {**ledger_of(lakeside), "tenant": ""}
    hers = operator.get(f"/v1/members/{member_id(lakeside)}")
    assert (hers["name"], hers["roles"], hers["standing"]) == ("lakeside", CUSTODIAN, "active")
    his = lakeside_operator.get(f"/v1/members/{member_id(service)}")
    assert (his["name"], his["roles"], his["standing"]) == (None, CUSTODIAN, "active")


def test_second_service_keeps_records_of_its_own_patients(
    lakeside: Service, lakeside_operator: Api, service: Service
) -> None:
    own = provider(lakeside, lakeside_operator, "Lakeside wards", member_id(lakeside))
    desk = staff(lakeside, "desk", Role.IDENTITY_DESK)
    patient = enrol(lakeside, desk, own, 501)
    hospital = "0x" + service.world.stores.tenant.hex()
    at_lakeside = provider(lakeside, lakeside_operator, "Hospital's system", hospital)
    assert denied(at_lakeside, patient)
    patient.permit(hospital)
    until(lambda: not denied(at_lakeside, patient), "the hospital reads through the clinic")
    record = lakeside.world.services
    assert record.anchorer.run_once() is not None  # its account is a custodian's


def test_service_that_is_not_admitted_does_not_start_and_says_what_to_ask_for(
    service: Service, network: Testnet, tmp_path: Path
) -> None:
    settings = {**network.settings(network.plain[1].node.rpc_url), "tenant": "early"}
    joined = join(tmp_path, deployment_of(service), **settings)
    assert joined["standing"] == "unknown"
    with pytest.raises(CustodianNotAdmitted) as refusal:
        open_stores(Settings(data_directory=tmp_path, **settings))
    assert joined["member_id"] in refusal.value.detail
    assert joined["account"] in refusal.value.detail
    assert "admit-custodian" in refusal.value.remedy


def test_join_refuses_other_chains_other_code_and_what_was_joined_before(
    service: Service, network: Testnet, tmp_path: Path
) -> None:
    settings = {**network.settings(network.plain[1].node.rpc_url), "tenant": "careless"}
    deployment = json.loads(deployment_of(service).read_text())
    target, data = tmp_path / "deployment.json", tmp_path / "data"

    def refused(**changes: Any) -> str:
        target.write_text(json.dumps({**deployment, **changes}))
        done = command("ledger", "join", target, "--data-directory", data, **settings)
        assert done.exit_code == 2, done.output
        assert not (data / "chain" / "deployment.json").exists()
        return str(done.output)

    contracts = deployment["contracts"]
    swapped = {**contracts, "AuditAnchor": contracts["RecordRegistry"]}
    assert "wrong_chain" in refused(genesis_hash="0x" + "11" * 32)
    assert "wrong_chain" in refused(chain_id=deployment["chain_id"] + 1)
    assert "contract_code_differs" in refused(contracts=swapped)
    assert "deployment_incomplete" in refused(complete=False)
    assert "join_needs_network" in command("ledger", "join", target, "--data-directory", data).output

    file = deployment_of(service)
    assert join(data, file, **settings) == join(data, file, **settings)
    another = json.loads(file.read_text())
    another["contracts"]["KeyRegistry"]["transaction"] = "0x" + "22" * 32
    target.write_text(json.dumps(another))
    done = command("ledger", "join", target, "--data-directory", data, **settings)
    assert "deployment_there" in done.output
    assert (data / "chain" / "deployment.json").read_text() == file.read_text()


def test_join_refuses_the_name_of_another_custodians_log(
    service: Service, network: Testnet, tmp_path: Path
) -> None:
    service.world.services.anchorer.run_once()
    settings = {
        **network.settings(network.plain[1].node.rpc_url),
        "tenant": service.world.stores.settings.tenant,
    }
    done = command(
        "ledger", "join", deployment_of(service), "--data-directory", tmp_path / "data", **settings
    )
    assert (done.exit_code, "log_name_taken" in done.output) == (2, True), done.output


def test_only_the_operator_of_the_registry_admits(
    lakeside: Service, lakeside_operator: Api, operator: Api
) -> None:
    account = Account.create().address
    custodian = {"name": "Riverside", "member_id": NOBODY, "account": account}
    path = "/v1/members/custodians"
    assert_problem(raw(lakeside_operator, "POST", path, json=custodian), 409, "admissions_elsewhere")
    organisation = {"name": "Hilltop", "roles": ["provider"]}
    answer = raw(lakeside_operator, "POST", "/v1/members", json=organisation)
    assert_problem(answer, 409, "admissions_elsewhere")
    assert_problem(raw(operator, "GET", f"/v1/members/{NOBODY}"), 404, "member_unknown")


def test_admitting_a_custodian_again_changes_nothing_and_another_account_is_refused(
    service: Service, lakeside: Service, operator: Api, patient: Patient
) -> None:
    there = operator.get(f"/v1/members/{member_id(lakeside)}")
    body = {"name": "lakeside", "member_id": there["member_id"], "account": there["account"]}
    path = "/v1/members/custodians"
    assert operator.post(path, body) == there
    other = {**body, "account": Account.create().address}
    assert_problem(raw(operator, "POST", path, json=other), 409, "member_differs")
    taken = {**body, "member_id": NOBODY}
    assert_problem(raw(operator, "POST", path, json=taken), 409, "account_held")
    assert_problem(raw(patient.api, "POST", path, json=body), 403, "scope_missing")
    assert operator.get(f"/v1/members/{member_id(lakeside)}") == there


# Reading and stopping


def test_clinic_reads_through_the_hospital_with_a_token_bound_to_the_consent(
    clinic: Provider, patient: Patient
) -> None:
    assert_problem(ask_token(clinic, patient), 403, "consent_required")
    assert denied(clinic, patient)
    consent = patient.permit(clinic.member_id)
    until(lambda: ask_token(clinic, patient).status_code == 200, "the grant is final")
    token = ask_token(clinic, patient).json()["access_token"]
    assert read_with(clinic, token, patient).status_code == 200
    patient.end(consent)
    assert_problem(read_with(clinic, token, patient), 403, "consent_required")


def test_revocation_handed_to_the_clinic_takes_effect_at_the_hospital(
    service: Service, lakeside: Service, clinic: Provider, patient: Patient, permitted: str
) -> None:
    token = ask_token(clinic, patient).json()["access_token"]
    assert read_with(clinic, token, patient).status_code == 200
    taken = hand_in(lakeside, signed_stop(patient, permitted, ledger_of(lakeside)))
    assert taken.json()["state"] == "in_force", taken.text
    until(lambda: denied(clinic, patient), "the hospital sees it at the head of its own node")
    assert_problem(read_with(clinic, token, patient), 403, "consent_required")
    assert_problem(ask_token(clinic, patient), 403, "consent_required")
    until(lambda: row_of(patient, permitted)["state"] == "revoked", "the patient sees it")
    until(lambda: ended_in_log(patient, permitted), "the hospital's log has it, and with it who is told")
    assert hand_in(lakeside, signed_stop(patient, permitted, ledger_of(lakeside))).status_code == 200
    until(lambda: not under_way(lakeside, ACT), "it is settled at the clinic")
    assert denied(clinic, patient)


def test_everything_of_a_patient_can_be_stopped_at_the_other_custodian(
    lakeside: Service, clinic: Provider, new_patient: Callable[[], Patient]
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    until(lambda: not denied(clinic, patient), "the grant is final")
    draft = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})["typed_data"]
    stop = {
        "subject": patient.subject,
        "epoch": int(draft["message"]["epoch"]),
        "signature": patient.wallet.sign_typed(draft),
    }
    assert hand_in(lakeside, stop).status_code == 200
    until(lambda: denied(clinic, patient), "everything is stopped at the hospital")


def test_hospital_that_relays_nothing_cannot_hold_a_revocation_up(
    proxy: FaultyRpc, lakeside: Service, clinic: Provider, patient: Patient, permitted: str
) -> None:
    with proxy.faulty(Fault.TAKES_NOTHING):
        assert hand_in(lakeside, signed_stop(patient, permitted, ledger_of(lakeside))).status_code == 200
        until(lambda: denied(clinic, patient), "the clinic relayed it")
    until(lambda: row_of(patient, permitted)["state"] == "revoked", "the patient sees it")


def test_hospital_hears_of_a_revocation_before_its_block(
    network: Testnet, service: Service, lakeside: Service, patient: Patient, permitted: str
) -> None:
    """No block is made meanwhile: the transaction lies in the pools of the nodes."""
    standing = network.stop_sealing()
    try:
        assert hand_in(lakeside, signed_stop(patient, permitted, ledger_of(lakeside))).status_code == 200
        until(lambda: bool(under_way(service, ACT)), "the hospital takes it as if it were handed in there")
        assert head(network.service_node) == standing
        queue = service.world.services.revocations._restrictions
        pending = queue.pending_for(SubjectId(int(patient.subject, 16)))
        assert ConsentId(bytes.fromhex(permitted[2:])) in pending.revoked
    finally:
        network.seal()
        network.heal()


def test_false_stop_on_the_chain_stops_nothing(
    network: Testnet, service: Service, clinic: Provider, patient: Patient, permitted: str
) -> None:
    """Whoever may send transactions may send one that the contract refuses."""
    stranger = funded(network, network.service_node)
    forged = bytes(stranger.unsafe_sign_hash(Hash32(b"\x07" * 32)).signature)
    registry = artifact("ConsentRegistry").functions["revoke"]
    with closing(network.chain()) as chain:
        signed = stranger.sign_transaction(
            {
                "to": HexStr(service.world.services.domain.verifying_contract),
                "data": registry.encode([bytes.fromhex(permitted[2:]), forged]),
                "gas": 200_000,
                "gasPrice": network.gas_price(),
                "nonce": 0,
                "value": 0,
                "chainId": network.network.chain_id,
            }
        )
        raw_transaction, name = bytes(signed.raw_transaction), Bytes32(bytes(signed.hash))
        sent = SignedTransaction(raw_transaction, Address(stranger.address), name)
        (included,) = chain.offer([sent])()
    assert not included.succeeded
    time.sleep(5 * INTERVAL_SECONDS)
    assert not under_way(service, ACT)
    assert not denied(clinic, patient)


def test_revocation_can_be_given_to_any_node_without_any_custodian(
    network: Testnet, service: Service, clinic: Provider, patient: Patient, permitted: str
) -> None:
    stop = signed_stop(patient, permitted, ledger_of(service))
    stranger = funded(network, network.validators[0])
    with closing(network.chain(network.validators[0].node.rpc_url)) as chain:
        relayer = Relayer(chain=chain, keys={Sender.RELAYER: bytes(stranger.key)})
        try:
            deployment = service.world.stores.deployment
            ledgers = ledger_adapters(chain=chain, relayer=relayer, deployment=deployment)
            signature = bytes.fromhex(stop["signature"][2:])
            ledgers.consents.revoke(ConsentId(bytes.fromhex(permitted[2:])), signature)
        finally:
            relayer.close()
    until(lambda: denied(clinic, patient), "the hospital sees it")


def test_custodian_that_was_down_denies_from_its_first_read_on_and_logs_the_stop_once(
    service: Service,
    operator: Api,
    network: Testnet,
    lakeside: Service,
    tmp_path: Path,
) -> None:
    def riverside(client: httpx.Client) -> Any:
        return open_custodian(
            tmp_path,
            "riverside",
            beside=service,
            operator=operator,
            network=network,
            url=network.plain[0].node.rpc_url,
            http=client,
        )

    with httpx.Client(timeout=60) as client:
        with riverside(client) as down:
            its_operator = staff(down, "operator", Role.OPERATOR)
            wards = provider(down, its_operator, "wards", member_id(down))
            patient = enrol(down, staff(down, "desk", Role.IDENTITY_DESK), wards, 502)
            clinic = provider(down, its_operator, "Lakeside's system", member_id(lakeside))
            consent = patient.permit(clinic.member_id)
            until(lambda: not denied(clinic, patient), "the grant is final")
            stop = signed_stop(patient, consent, ledger_of(lakeside))
            other = patient.permit(clinic.member_id, not_after=in_days(7))
            patient.end(other)  # taken here, and logged from there
        taken = hand_in(lakeside, stop)
        assert taken.status_code == 200
        until(lambda: not under_way(lakeside, ACT), "it is final")
        for _ in range(2):  # the second start finds nothing new
            with riverside(client):
                for person in (clinic, patient.wallet):
                    person.sign_in()
                assert denied(clinic, patient)
                until(lambda: ended_in_log(patient, consent), "the stop is in the log")
                network.await_blocks(network.network.finality_blocks + 1)
                time.sleep(5 * INTERVAL_SECONDS)
                ends = [entry for entry in patient.accesses() if entry["type"] == "consent.revoked"]
                assert sorted(entry["consents"] for entry in ends) == sorted([[consent], [other]])
                (late,) = [entry["detail"] for entry in ends if entry["consents"] == [consent]]
                relayer = lakeside.world.stores.relayer.address(Sender.RELAYER)
                assert late["sender"] == relayer.lower()
                sent = network.service_node.ask("eth_getTransactionByHash", late["transaction"])
                assert int(sent["blockNumber"], 16) == late["block"]


def test_false_revocation_is_refused_at_the_clinic_and_stops_nothing(
    lakeside: Service, clinic: Provider, patient: Patient, permitted: str
) -> None:
    stop = signed_stop(patient, permitted, ledger_of(lakeside))
    forged = "0x" + bytes(Account.create().unsafe_sign_hash(b"\x07" * 32).signature).hex()
    assert_problem(hand_in(lakeside, {**stop, "signature": forged}), 422, "wrong_signer")
    elsewhere = signed_stop(patient, permitted, {**ledger_of(lakeside), "chain_id": 1})
    assert_problem(hand_in(lakeside, elsewhere), 422, "wrong_signer")
    assert_problem(hand_in(lakeside, {**stop, "consent_id": "0x" + "77" * 32}), 404, "consent_unknown")
    assert not under_way(lakeside, ACT)
    assert not denied(clinic, patient)


# What the other custodian learns


def drafted(patient: Patient, clinic: Provider, *, days: int) -> dict[str, Any]:
    """A permit that was not signed yet. ``days`` tells it from others."""
    wish = {
        "kind": "permit",
        "grantee": clinic.member_id,
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
        "not_after": in_days(days),
    }
    draft: dict[str, Any] = patient.api.post("/v1/consents/draft", {"subject": patient.subject, **wish})
    return draft


def test_clinic_keeps_nothing_of_a_document_that_comes_with_a_revocation(
    lakeside: Service, clinic: Provider, patient: Patient
) -> None:
    draft = drafted(patient, clinic, days=3)
    consent = patient.wallet.submit("/v1/consents", draft)["consent_id"]
    until(lambda: ask_token(clinic, patient).status_code == 200, "the grant is final")
    recorded = row_of(patient, consent)["block"]
    chain = lakeside.world.stores.chain
    until(lambda: chain.view().final_number >= recorded, "it is final at the clinic's node, too")
    stop = {**signed_stop(patient, consent, ledger_of(lakeside)), "document": draft["message"]}
    assert hand_in(lakeside, stop).status_code == 200
    until(lambda: denied(clinic, patient), "it takes effect")
    subject = SubjectId(int(patient.subject, 16))
    stores = lakeside.world.stores
    assert not DocumentSealer(stores.keys).has_key(subject)
    assert stores.database["acts"].count_documents({"kind": ACT, "data.document": {"$ne": None}}) == 0
    event = logged_of(lakeside, consent)
    assert (event["type"], event["consents"]) == ("consent.revoked", [consent])
    assert {name for name, value in event.items() if value} <= {
        *("v", "type", "outcome", "occurred_at_ms", "actor", "subject", "consents", "queue_position"),
    }


def test_grant_that_is_revoked_at_the_clinic_before_it_is_recorded_never_counts(
    lakeside: Service, clinic: Provider, patient: Patient
) -> None:
    draft = drafted(patient, clinic, days=4)
    consent = "0x" + consent_id(from_json(Grant, draft["message"])).hex()
    stop = signed_stop(patient, consent, ledger_of(lakeside))
    assert_problem(hand_in(lakeside, stop), 404, "consent_unknown")
    assert hand_in(lakeside, {**stop, "document": draft["message"]}).status_code == 200
    until(lambda: not under_way(lakeside, ACT), "it is final")
    acts = lakeside.world.stores.database["acts"]
    assert acts.count_documents({"kind": ACT, "data.document": {"$ne": None}}) == 0
    answer = raw(
        patient.api,
        "POST",
        "/v1/consents",
        json={
            "message": draft["message"],
            "via": [],
            "signature": patient.wallet.sign_typed(draft["typed_data"]),
        },
    )
    assert answer.status_code >= 400 or row_of(patient, consent)["state"] == "revoked", answer.text
    assert denied(clinic, patient)


# Both logs


@pytest.fixture
def logs(service: Service, lakeside: Service) -> list[str]:
    """Arguments of the verifier: keys, contract and ids of both logs, from their operators."""
    arguments = ["--rpc", service.world.stores.settings.ledger_url or ""]
    arguments += ["--contract", service.world.stores.deployment.address("AuditAnchor")]
    for custodian in (service, lakeside):
        services, stores = custodian.world.services, custodian.world.stores
        services.anchorer.run_once()
        arguments += ["--log-id", f"{stores.origin}=0x{stores.anchor.log_id.hex()}"]
        for key in services.log_keys.verifier_keys:
            arguments += ["--key", key]
    return arguments


def addresses(*custodians: Service) -> list[str]:
    return [f"{custodian.url}/v1/log" for custodian in custodians]


def copy_log(custodian: Service, folder: Path) -> Path:
    """What a mirror has of a log: the checkpoint and all tiles."""
    note = custodian.http.get("/v1/log/checkpoint").json()["checkpoint"]
    folder.mkdir()
    (folder / "checkpoint").write_text(note)
    for tile in tiles_of(int(note.split("\n")[1])):
        path = folder / tile.path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(custodian.http.get(f"/v1/log/{tile.path()}").content)
    return folder


def test_verifier_given_both_logs_finds_both_whole(
    service: Service, lakeside: Service, logs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify([*addresses(service, lakeside), *logs]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["origin"] == service.world.stores.origin
    assert second["origin"] == lakeside.world.stores.origin
    assert first["root"] != second["root"]
    for report in (first, second):
        assert 0 < report["anchored"] <= report["size"]
        assert report["pseudonyms"] > 1


def test_command_takes_both_logs_and_a_patients_list(
    service: Service, lakeside: Service, patient: Patient, logs: list[str], tmp_path: Path
) -> None:
    bundle = tmp_path / "accesses.json"
    bundle.write_text(json.dumps(patient.api.get("/v1/accesses/proof", subject=patient.subject)))
    options = ["--endpoint" if each == "--rpc" else each for each in logs]
    done = command("audit", "verify", *addresses(service, lakeside), bundle, *options)
    assert done.exit_code == 0, done.output
    assert done.output.count("VERIFIED: the log is whole.") == 2
    assert "No entry of the list is missing." in done.output


@pytest.mark.parametrize("number", [0, 1])
def test_verifier_notices_a_changed_entry_in_either_log(
    service: Service,
    lakeside: Service,
    logs: list[str],
    number: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = [copy_log(service, tmp_path / "a"), copy_log(lakeside, tmp_path / "b")]
    sources = [str(folder) for folder in folders]
    assert verify([*sources, *logs]) == 0
    capsys.readouterr()
    bundle = next(folders[number].glob("tile/entries/000*"))
    bundle = bundle if bundle.is_file() else next(bundle.iterdir())
    content = bytearray(bundle.read_bytes())
    content[10] ^= 1  # in the commitment of the first entry
    bundle.write_bytes(content)
    assert verify([*sources, *logs]) == 1
    told = capsys.readouterr()
    assert f"NOT VERIFIED: {folders[number]}: " in told.err
    (other,) = json.loads(told.out)  # the other log is whole all the same
    assert other["origin"] == (lakeside, service)[number].world.stores.origin


def test_verifier_holds_each_log_against_its_own_anchor(
    service: Service, lakeside: Service, logs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [position for position, each in enumerate(logs) if each == "--log-id"]
    swapped = list(logs)
    origins = [logs[position + 1].rsplit("=", 1) for position in ids]
    swapped[ids[0] + 1] = f"{origins[0][0]}={origins[1][1]}"
    swapped[ids[1] + 1] = f"{origins[1][0]}={origins[0][1]}"
    assert verify([*addresses(service, lakeside), *swapped]) == 1
    told = capsys.readouterr().err
    assert told.count("NOT VERIFIED") == 2
    assert "the chain holds" in told
    unnamed = [each for position, each in enumerate(logs) if position not in (ids[1], ids[1] + 1)]
    assert verify([*addresses(service, lakeside), *unnamed]) == 1
    assert f"no id is given of the log {lakeside.world.stores.origin}" in capsys.readouterr().err
