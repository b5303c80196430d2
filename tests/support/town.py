"""A custodian with all that can be stored: people, records of many blocks, consents, papers, a study."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from backend.adapters.index.chain_positions import STOPS, MongoChainPositions
from backend.audit.anchorer import Anchorer
from backend.audit.entry import Agent, AgentKind
from backend.consent.member_watch import ExpiryWatch
from backend.consent.recorded import Position
from backend.demo import care, cast, study
from backend.demo.actors import Api, Provider, Wallet
from backend.demo.bundles import FEWEST
from backend.demo.checks import Checks
from backend.erasure.jobs import ErasureJobs
from backend.identity.purging import Purging
from backend.identity.roles import Role
from backend.notices.delivering import Deliveries
from backend.notices.feed import Feed
from backend.outbox.driver import Driver
from backend.records.storing import NewDocument
from backend.research.catalogue.draws import CatalogueDraws
from backend.research.jobs.driver import RunJobs
from backend.types import RecordId, SubjectId
from scripts.generate_bundles import encode, generate
from tests.integration.api.study_world import new_account, signed_text
from tests.integration.api.test_abdm import requested, until
from tests.integration.api.test_care_teams import Ward
from tests.integration.api.test_paper_consents import PATH, StaffWitness, link
from tests.integration.api.test_recovery import accept, agree, guardian_of, name_guardians, new_wallet
from tests.integration.api.world import (
    PASSWORD,
    Patient,
    Service,
    in_days,
    open_service,
    provider,
    raw,
    staff,
)
from tests.integration.mail.world import FROM, Mailed
from tests.support.certificates import self_signed
from tests.support.mail_server import MailServer, mail_server, starttls
from tests.support.receiver import Receiver, receiving
from tests.support.tampering import Contents, contents

SEED: Final = 31
SCAN: Final = b"%PDF-1.7 Paper signed by hand by the patient of ward seven."
MAIL_ADDRESS: Final = "erika.mustermann@mail.test"
STAFF: Final = ("maria.schmidt", "johann.keller", "anna.lindqvist")
MESSAGE: Final = "So that the cardiology department can treat you."
PAPER_NAME: Final = "Walburga Papierlos"
PAPER_NUMBER: Final = "PAPER-4711"
PROTOCOLS: Final = (b"Protocol of the first study, confidential.", b"Protocol of the second, confidential.")
QUESTION: Final = "Does the investigator treat any of these patients?"
TEXT: Final = b"Findings of the cardiology department. "
LARGE_BYTES: Final = 3 * 1024 * 1024 + 12_345


@dataclass(slots=True)
class Town:
    """Who acts and what was made. ``documents``: record id of an attachment to its content."""

    service: Service
    cast: cast.Cast
    documents: dict[str, bytes] = field(default_factory=dict)
    administrator: Api = field(init=False)
    witness: Api = field(init=False)
    guardian: Wallet = field(init=False)  # of the account that ``newcomer`` is to take over
    newcomer: Wallet = field(init=False)
    listener: Provider = field(init=False)
    team: str = ""
    team_consent: str = ""
    counted_consent: str = ""
    denied_consent: str = ""
    paper_subject: str = ""
    paper_id: str = ""
    proposed: dict[str, list[str]] = field(default_factory=dict)  # study to digests of its papers
    study: str = ""
    receiver: Receiver | None = None
    restart: Callable[[Callable[[], None]], None] = field(init=False)  # does something while it is stopped
    before: list[Contents] = field(default_factory=list)  # the index at earlier times, oldest first

    @property
    def reader(self) -> cast.Patient:
        """Whose record the clinic may read whole."""
        return self.cast.adults[5]


@contextmanager
def town(directory: Path, **options: Any) -> Iterator[Town]:
    """Build and serve it below ``directory`` until the block ends."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    context, certificate = self_signed(directory.parent, "localhost")
    with mail_server(**starttls(context)) as mails, receiving(host="127.0.0.1") as receiver:
        options |= {
            "smtp_url": f"smtp://localhost:{mails.port}",
            "smtp_ca_file": certificate,
            "mail_from": FROM,
            "access_token_minutes": 60,  # its people stay signed in for as long as the tests take
        }
        with httpx.Client(timeout=60) as http, ExitStack() as running:
            service = running.enter_context(open_service(directory, http=http, **options))
            built = _populate(service, mails, receiver)
            port = httpx.URL(service.url).port or 0

            def restart(between: Callable[[], None]) -> None:
                running.close()
                between()
                built.service = running.enter_context(
                    open_service(directory, port=port, http=http, **options)
                )

            built.restart = restart
            yield built


def _populate(service: Service, mails: MailServer, receiver: Receiver) -> Town:
    operator = staff(service, "operator", Role.OPERATOR, Role.IDENTITY_DESK)
    players = cast.Cast(service.http, Checks(Console(file=io.StringIO())), operator)
    built = Town(service, players, receiver=receiver)
    for step in (
        lambda: cast.set_the_scene(players),
        lambda: study.register(players),
        lambda: cast.enrol(players, [encode(bundle) for bundle in generate(FEWEST, SEED)]),
        lambda: cast.store_records(players),
        lambda: care.ask_and_answer(players),
        lambda: care.read_what_is_covered(players),
        lambda: care.revoke(players),
        lambda: care.speak_for_the_child(players),
        lambda: study.conduct(players),
        lambda: _put_before_the_board(built),
        lambda: _name_payees(built),
        lambda: _pay(built),
        lambda: _store_documents(built),
        lambda: _give_counted_consents(built),
        lambda: _make_team(built),
        lambda: _sign_paper(built),
        lambda: _name_guardians(built),
        lambda: _accept(built),
        lambda: _listen(built, operator),
        lambda: _write(built, operator),
        lambda: _mailed(built, mails).put(MAIL_ADDRESS),
        lambda: _mailed(built, mails).confirm(),
        lambda: _follow_the_chain(service),
    ):
        step()
        built.before.append(contents(service.world.stores.database))
    failed = [check for check in players.checks.results if not check.held]
    assert not failed, failed
    _settle(service)
    service.world.services.anchorer.run_once()
    return built


def _name_payees(built: Town) -> None:
    """The patients of the study but one say where they want to be paid."""
    studies = built.cast.researcher.api.get("/v1/studies")
    (built.study,) = [each["study_id"] for each in studies if each["study_id"] not in built.proposed]
    for patient in built.cast.adults[4:]:
        _name_payee(built, patient)


def _pay(built: Town) -> None:
    """One changes its mind; the study is paid for, and its patients are in a payout."""
    _name_payee(built, built.cast.adults[4])
    operator = built.cast.operator
    paid = {"study": built.study, "amount": "100000", "invoice": "INV-2026-7"}
    escrow = operator.post("/v1/escrows/invoices", paid)["escrow"]
    result = operator.get("/v1/payouts/results", study=built.study)[-1]["result"]
    body = {"study": built.study, "escrow": escrow, "result": result, "per_patient": "150"}
    operator.post("/v1/payouts", body)


def _name_payee(built: Town, patient: cast.Patient) -> None:
    wallet = patient.wallet
    wish = {"subject": wallet.subject, "study": built.study, "account": new_account(), "kind": "own"}
    draft = wallet.api.post("/v1/payments/payees/draft", wish)
    signed = {"number": draft["number"], "signature": signed_text(wallet, draft["text"])}
    wallet.api.post("/v1/payments/payees", {**wish, **signed})


def _store_documents(built: Town) -> None:
    """A report of two versions and an image of several blocks, of the patient whose record is read."""
    subject = SubjectId(int(built.reader.wallet.subject, 16))
    text = TEXT * 40
    image = secrets.token_bytes(LARGE_BYTES)
    for content, media_type, versions in ((text, "text/plain", 2), (image, "image/png", 1)):
        record = RecordId(secrets.token_bytes(16))
        for version in range(1, versions + 1):
            body = content + b"version %d" % version
            built.service.world.services.storing.store_attachment(
                NewDocument(
                    subject=subject,
                    record_id=record,
                    version=version,
                    content=body,
                    media_type=media_type,
                    author=built.service.world.stores.tenant,
                    actor=Agent(AgentKind.SERVICE, "town"),
                    categories=("laboratory",),
                    sensitivities=(),
                )
            )
            built.documents[record.hex()] = body


def _put_before_the_board(built: Town) -> None:
    """Two proposals with a paper each: one is asked about and permitted with a condition, one waits."""
    researcher, board = built.cast.researcher.api, built.cast.board_api
    secretary = staff(built.service, "board-secretary", Role.BOARD_SECRETARY)
    for number, protocol in enumerate(PROTOCOLS):
        digest = "0x" + hashlib.sha256(protocol).hexdigest()
        papers = [{"name": "Protocol", "media_type": "text/plain", "sha256": digest}]
        name = researcher.post("/v1/studies", {**study.proposal(), "documents": papers})["study_id"]
        path = f"/v1/board/studies/{name}"
        researcher.call("PUT", f"/v1/studies/{name}/documents", content=protocol)
        board.post(f"{path}/questions", {"text": QUESTION})
        researcher.post(f"/v1/studies/{name}/questions/0/answer", {"text": "As in the protocol."})
        built.proposed[name] = [digest]
        built.before.append(contents(built.service.world.stores.database))
        conditions = {"conditions": [{"text": "Report after the first run."}]}
        secretary.call("PUT", f"{path}/conditions", json=conditions)
        if number:
            continue
        draft = board.get(f"{path}/motions/permit")["typed_data"]
        signed = {"signature": built.cast.board.sign_typed(draft)}
        assert board.post(f"{path}/motions/permit", signed)["study"]["state"] == "approved"


def _give_counted_consents(built: Town) -> None:
    """A permit that counts its uses, one use taken, and a deny."""
    wallet, clinic = built.reader.wallet, built.cast.other_clinic
    wish = {
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
        "not_after": in_days(30),
    }
    built.counted_consent = wallet.consent(kind="permit", grantee=clinic.member_id, max_uses=100_000, **wish)[
        "consent_id"
    ]
    assert clinic.read(built.reader.record_id)
    denying = built.cast.adults[6]
    built.denied_consent = denying.wallet.consent(
        kind="deny", grantee=clinic.member_id, purposes=["TREAT"], categories=["laboratory"]
    )["consent_id"]
    blocked = denying.wallet.api.call(
        "PUT", f"/v1/blocked-requesters/{clinic.member_id}", params={"subject": denying.wallet.subject}
    )
    assert blocked.is_success


def _make_team(built: Town) -> None:
    """A ward of the hospital with a system and a person, closed once and a second one open."""
    administrator = staff(built.service, "administrator", Role.TEAM_ADMINISTRATOR)
    built.administrator = administrator
    closed = Ward(administrator, "Ward 9")
    administrator.post(f"/v1/care-teams/{closed.id}/close", {})
    ward = Ward(administrator, "Ward 7")
    ward.add(built.cast.hospital)
    built.team = ward.id
    wallet = built.reader.wallet
    built.team_consent = wallet.consent(
        kind="permit",
        grantee=ward.id,
        purposes=["TREAT"],
        categories=["laboratory", "medications"],
        actions=["access"],
        not_after=in_days(30),
    )["consent_id"]
    assert built.cast.hospital.read(built.reader.record_id)


def _sign_paper(built: Town) -> None:
    """A patient without a wallet, whose paper two of the staff witness."""
    service, desk = built.service, built.cast.desk
    witnesses = []
    for name in STAFF[:2]:
        api, wallet = staff(service, name, Role.WITNESS), Wallet(service.anyone())
        assert link(api, wallet).status_code == 204
        api.token = api.post("/v1/auth/staff", {"username": name, "password": PASSWORD})["access_token"]
        (found,) = [each for each in service.world.services.identity.staff.all() if each.username == name]
        witnesses.append(StaffWitness(api, wallet, found.staff_id))
    built.witness = witnesses[0].api
    issued = desk.post("/v1/enrolments", {"record_number": PAPER_NUMBER, "name": PAPER_NAME})
    built.paper_subject = issued["subject"]
    paper = desk.post(
        PATH,
        {
            "subject": built.paper_subject,
            "scan": base64.b64encode(SCAN).decode(),
            "media_type": "application/pdf",
            "sha256": "0x" + hashlib.sha256(SCAN).hexdigest(),
            "witnesses": [each.staff_id for each in witnesses],
            "grantee": built.cast.clinic.member_id,
            "purposes": ["TREAT"],
            "categories": ["laboratory"],
            "not_after": in_days(30),
        },
    )
    built.paper_id = paper["paper_id"]
    for witness in witnesses:
        assert witness.sign(paper).status_code == 200


def _name_guardians(built: Town) -> None:
    """A patient names two guardians, one of whom agrees to a new account."""
    patient = built.cast.adults[6].wallet
    named = [guardian_of(patient, built.service) for _ in range(2)]
    name_guardians(patient, [name for _, name in named])
    built.guardian, built.newcomer = named[0][0], new_wallet(built.service)
    agree(built.guardian, patient.subject, built.newcomer)


def _accept(built: Town) -> None:
    accept(built.newcomer, built.cast.adults[6].wallet.subject)


def _listen(built: Town, operator: Api) -> None:
    """A system with a webhook is told of a request, a grant and an end; ABDM asks, too."""
    assert built.receiver is not None
    system = built.listener = provider(built.service, operator, "Webhook Clinic")
    system.api.call("PUT", f"/v1/clients/{system.client_id}/webhook", json={"url": built.receiver.url})
    patient = built.cast.adults[7]
    request = requested(system, patient)  # type: ignore[arg-type]
    consent = patient.wallet.answer(request, "grant", categories=["laboratory"])["consent_id"]
    until(system, request, "GRANTED")
    built.receiver.wait("consent.granted")
    patient.wallet.revoke(consent)
    built.receiver.wait("consent.revoked")
    built.cast.hospital.ask(
        built.cast.hospital.find(patient.record_number),
        purposes=["TREAT"],
        categories=["laboratory"],
        actions=["access"],
        not_after=in_days(30),
        message=MESSAGE,
    )


def _write(built: Town, operator: Api) -> None:
    """A notice of the custodian's own, and a person who has tried to sign in with a wrong password."""
    operator.post(
        "/v1/notices", {"language": "en", "media_type": "text/plain", "text": "What we do with it."}
    )
    staff(built.service, STAFF[2], Role.AUDITOR)
    body = {"username": STAFF[2], "password": "not the password"}
    assert raw(built.service.anyone(), "POST", "/v1/auth/staff", json=body).status_code == 401


def _mailed(built: Town, mails: MailServer) -> Mailed:
    """The patient whose record is read, with an address for mail."""
    reader = built.reader
    patient = Patient(reader.wallet, reader.record_number, reader.bundle, reader.record_id)
    return Mailed(patient, mails, built.service, MAIL_ADDRESS)


BESIDE: Final = (
    Driver, Anchorer, Purging, ExpiryWatch, Feed, Deliveries, RunJobs, CatalogueDraws, ErasureJobs,
)  # fmt: skip


def hush(built: Town) -> None:
    """End what runs beside the requests: a test that changes the stores must be the only one that does."""
    for _, callback in list(built.service.world.closing._exit_callbacks):  # type: ignore[attr-defined]
        owner = getattr(getattr(callback, "__wrapped__", None), "__self__", None)
        if isinstance(owner, BESIDE):
            owner.close()


def _follow_the_chain(service: Service) -> None:
    """On a network the service keeps how far it read the blocks."""
    stores = service.world.stores
    head = stores.chain.view()
    MongoChainPositions(stores.database, stores.keys, STOPS).put(Position(head.head_number, head.head_hash))


def _settle(service: Service) -> None:
    """Wait until no act is under way."""
    acts = service.world.stores.database["acts"]
    deadline = time.monotonic() + 60
    while acts.count_documents({"over": False}):
        assert time.monotonic() < deadline, "the outbox did not drain"
        time.sleep(0.05)
