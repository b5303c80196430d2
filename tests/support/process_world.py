"""The real program in its own process, killed and started again, and the people who use it over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct
from pymongo import MongoClient

from backend.adapters.process import free_port
from backend.demo.actors import Api, Provider, Wallet
from scripts.generate_bundles import encode, generate

START_SECONDS = 60.0
CATEGORIES = ["laboratory"]
VOLUNTEERS = 5  # of the study: so many each of its answers needs


def eventually(holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until it holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def run_cli(*arguments: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", *map(str, arguments)],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def running_program(directory: Path) -> Iterator[Program]:
    """Start a program and stop it at the end, whatever was done to it."""
    program = Program(directory)
    program.start()
    try:
        yield program
    finally:
        program.stop()
        program.http.close()


class Program:
    """``assent up --no-samples`` on a data directory and a port that stay the same over restarts.

    ``options``: more of the command's. ``environment``: settings, by the names of their variables.
    """

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "program",
        port: int | None = None,
        options: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self.data = directory / "data"
        self.log = directory / f"{name}.log"
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}"
        self._options = ("--public-url", self.url, *options)  # the last one counts
        self.environment = environment
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.launch()
        eventually(self._is_ready, seconds=START_SECONDS, what="the program is ready")

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "backend.cli", "up", "--no-samples", "--port", str(self.port),
                    "--data-directory", str(self.data), *self._options,
                ],
                env={
                    **os.environ,
                    "ASSENT_ANCHOR_INTERVAL_SECONDS": "2",
                    "ASSENT_PAYOUT_OBJECTION_SECONDS": "0",
                    **self.environment,
                },
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def kill(self) -> list[int]:
        """SIGKILL the program, nothing else; return the children it had."""
        children = list(self.children())
        self.process.kill()
        self.process.wait(10)
        self.http.close()
        self.http = httpx.Client(base_url=self.url, timeout=30)
        return children

    def stop(self) -> int:
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(10)

    def children(self) -> dict[int, str]:
        """Process ids and program names of the servers it started."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, _, rest = stat.read_text().partition(" (")
                name, _, fields = rest.rpartition(") ")
            except OSError:
                continue  # it ended meanwhile
            if int(fields.split()[1]) == self.process.pid and fields[0] != "Z":
                found[int(pid)] = name
        return found

    def child(self, name: str) -> int:
        return next(pid for pid, command in self.children().items() if command.startswith(name))

    def unfinished_acts(self) -> int:
        run = json.loads((self.data / "run.json").read_text())
        client: MongoClient[dict[str, Any]] = MongoClient(run["index"])
        try:
            return client[run["database"]]["acts"].count_documents({"over": False})
        finally:
            client.close()

    def operator(self) -> Api:
        return operator_of(self.http, self.data)

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the program ended:\n{self.log.read_text()[-3000:]}")
        try:
            return self.http.get("/health/ready", timeout=5).is_success
        except httpx.TransportError:
            return False


def operator_of(http: httpx.Client, data: Path) -> Api:
    api = Api(http)
    account = json.loads((data / "operator.json").read_text())
    api.token = api.post("/v1/auth/staff", account)["access_token"]
    return api


class Reached(Protocol):
    """A service that people use over HTTP."""

    @property
    def http(self) -> httpx.Client: ...

    def operator(self) -> Api: ...


def is_alive(pid: int) -> bool:
    """Whether the process runs; a dead one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


class People:
    """A patient, a hospital that stores, a clinic that may read all, another one that may not yet."""

    def __init__(self, program: Reached) -> None:
        self.program = program
        operator = program.operator()
        tenant = program.http.get("/v1/ledger").json()["tenant"]
        self.hospital = self._provider(operator, "hospital", tenant)
        self.clinic = self._provider(operator, "clinic", self._member(operator, "Clinic"))
        self.other = self._provider(operator, "other", self._member(operator, "Other Clinic"))
        self.record_number = "CRASH-1"
        self.patient = Wallet(Api(program.http))
        issued = operator.post("/v1/enrolments", {"record_number": self.record_number, "name": "Crash Test"})
        self.patient.claim(issued["code"])
        self.patient.sign_in()
        self.standing = self.permit(self.clinic.member_id, days=300)
        self._operator = operator

    @cached_property
    def research(self) -> Research:
        """A study that runs, made when it is first needed: it takes more patients."""
        return Research(self.program, self._operator, self.hospital)

    def reconnect(self) -> None:
        """Use the program's new connection; tokens outlive a restart."""
        for actor in (self.hospital, self.clinic, self.other, self.patient):
            actor.api.http = self.program.http
        self._operator.http = self.program.http
        if "research" in vars(self):
            self.research.reconnect()

    def permit(self, grantee: str, *, days: int) -> str:
        return str(self.patient.consent(**wish(grantee, days=days))["consent_id"])

    def draft(self, grantee: str, *, days: int, kind: str = "permit") -> tuple[str, dict[str, Any]]:
        """A signed grant that was not sent yet: its id and the body to send."""
        wanted = {"subject": self.patient.subject, **wish(grantee, days=days), "kind": kind}
        draft = self.patient.api.post("/v1/consents/draft", wanted)
        signature = self.patient.sign_typed(draft["typed_data"])
        return draft["consent_id"], {"message": draft["message"], "via": [], "signature": signature}

    def stop_for(self, consent_id: str) -> dict[str, Any]:
        """A signed revocation that was not sent yet."""
        draft = self.patient.api.post("/v1/revocations/draft", {"consent_id": consent_id})
        return {"consent_id": consent_id, "signature": self.patient.sign_typed(draft["typed_data"])}

    def store(self, key: str, content: bytes) -> str:
        stored = self.hospital.api.call(
            "POST",
            "/v1/records",
            params={"subject": self.patient.subject, "categories": CATEGORIES, "sensitivities": ["N"]},
            content=content,
            headers={"Content-Type": "text/plain", "Idempotency-Key": key},
        ).json()
        return str(stored["record_id"])

    def consents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.patient.api.get("/v1/consents", subject=self.patient.subject)
        return found

    def listed_records(self) -> list[str]:
        """Every record that the clinic sees in its listing."""
        reference, found, cursor = self.clinic.find(self.record_number), [], None
        while True:
            more: dict[str, str] = {} if cursor is None else {"cursor": cursor}
            page = self.clinic.api.get("/v1/records", purpose="TREAT", patient_ref=reference, **more)
            found += [record["record_id"] for record in page["records"]]
            cursor = page["next"]
            if cursor is None:
                return found

    def entries(self) -> list[dict[str, Any]]:
        """The patient's part of the audit log."""
        page = self.patient.api.get("/v1/accesses", subject=self.patient.subject, limit=200)
        assert page["gaps"] == 0
        found: list[dict[str, Any]] = page["entries"]
        return found

    def _provider(self, operator: Api, name: str, member: str) -> Provider:
        client = operator.post("/v1/clients", {"name": name, "roles": ["provider"], "member_id": member})
        provider = Provider(Api(self.program.http), client["client_id"], client["client_secret"], member)
        provider.sign_in()
        return provider

    def _member(self, operator: Api, name: str) -> str:
        return str(operator.post("/v1/members", {"name": name, "roles": ["provider"]})["member_id"])


class Research:
    """A funded study over five patients, the first of whom has named where to be paid."""

    def __init__(self, program: Reached, operator: Api, hospital: Provider) -> None:
        self.program, self.operator = program, operator
        self.funded: dict[str, int] = {"INV-start": 10**9}
        member = operator.post("/v1/members", {"name": "Institute", "roles": ["researcher"]})["member_id"]
        client = operator.post(
            "/v1/clients", {"name": "workbench", "roles": ["researcher"], "member_id": member}
        )
        self.researcher = Provider(Api(program.http), client["client_id"], client["client_secret"], member)
        self.researcher.sign_in()
        self.patients = [self._volunteer(number, hospital) for number in range(VOLUNTEERS)]
        self.study = self._approved()
        (self.escrow,) = {self.fund(invoice, amount)["escrow"] for invoice, amount in self.funded.items()}
        self.run()
        patient = self.patients[0]
        wish = {
            "subject": patient.subject,
            "study": self.study,
            "account": str(Account.create().address),
            "kind": "own",
        }
        draft = patient.api.post("/v1/payments/payees/draft", wish)
        signed = patient.account.sign_message(encode_defunct(text=draft["text"]))
        signature = "0x" + bytes(signed.signature).hex()
        patient.api.post("/v1/payments/payees", {**wish, "number": draft["number"], "signature": signature})

    def reconnect(self) -> None:
        for api in (self.operator, self.researcher.api, *(patient.api for patient in self.patients)):
            api.http = self.program.http

    def fund(self, invoice: str, amount: int) -> dict[str, Any]:
        body = {"study": self.study, "amount": str(amount), "invoice": invoice}
        answer = self.operator.call("POST", "/v1/escrows/invoices", json=body)
        if answer.status_code == 202:
            raise httpx.ReadTimeout("under way")  # acknowledged, and not done yet: look again
        found: dict[str, Any] = answer.json()
        return found

    def run(self) -> str:
        found: dict[str, Any] = {}

        def is_done() -> bool:  # asked again while it is under way, it answers about the same run
            found.update(self.researcher.api.post(f"/v1/studies/{self.study}/runs", wait=30))
            return "digest" in found

        eventually(is_done, seconds=150, what="the run is done")
        return str(found["digest"])

    def propose(self, result: str, amount: int) -> str:
        body = {"study": self.study, "escrow": self.escrow, "result": result, "per_patient": str(amount)}
        headers = {"Idempotency-Key": f"payout-{result}"}
        return str(self.operator.call("POST", "/v1/payouts", json=body, headers=headers).json()["round"])

    def claim(self, round_: str) -> None:
        patient = self.patients[0]
        body = {"subject": patient.subject, "round": round_}
        if not patient.api.post("/v1/payments/claims", body)["done"]:
            raise httpx.ReadTimeout("under way")

    def escrows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.operator.get("/v1/escrows", study=self.study)
        return found

    def payouts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.operator.get("/v1/payouts", study=self.study)
        return found

    def entries(self) -> list[dict[str, Any]]:
        """The paid patient's part of the log."""
        patient = self.patients[0]
        page = patient.api.get("/v1/accesses", subject=patient.subject, limit=200)
        assert page["gaps"] == 0
        found: list[dict[str, Any]] = page["entries"]
        return found

    def _volunteer(self, number: int, hospital: Provider) -> Wallet:
        (bundle,) = generate(1, 100 + number)
        record_number = f"STUDY-{number}"
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] == "Patient":
                entry["resource"]["identifier"][0]["value"] = record_number
        issued = self.operator.post("/v1/enrolments", {"record_number": record_number, "name": "Volunteer"})
        wallet = Wallet(Api(self.program.http))
        wallet.claim(issued["code"])
        wallet.sign_in()
        hospital.api.call(
            "POST",
            "/v1/records",
            params={"subject": wallet.subject},
            content=encode(bundle),
            headers={"Content-Type": "application/fhir+json"},
        )
        wallet.consent(
            kind="permit",
            grantee=self.researcher.member_id,
            purposes=["HRESCH"],
            categories=["demographics"],
            actions=["compute"],
            research={"duo": ["DUO:0000042"], "minimum_cohort": 5, "epsilon_cap": 10},
        )
        return wallet

    def _approved(self) -> str:
        board, now, api = Wallet(Api(self.program.http)), datetime.now(UTC), Api(self.program.http)
        body = {"name": "Board", "roles": ["ethics_board"], "account": board.address}
        member = self.operator.post("/v1/members", body)["member_id"]
        user = {"username": "board", "password": "correct horse battery staple"}
        registered = {"roles": ["ethics_board"], "member_id": member, "account": board.address}
        self.operator.post("/v1/users", {**user, **registered})
        api.token = api.post("/v1/auth/staff", user)["access_token"]
        sex = {"name": "sex", "kind": "sex", "role": "quasi"}
        women = {
            "kind": "count",
            "name": "women",
            "where": [{"variable": "sex", "levels": ["female"]}],
        }
        proposal = {
            "title": "Sex of volunteers",
            "duo": ["DUO:0000042"],
            "variables": [sex],
            # For the table each run opens the records, also where the answers are known.
            "outputs": [women, {"kind": "table", "name": "table", "variables": ["sex"], "k": 5}],
            "not_before": (now - timedelta(days=1)).isoformat(),
            "not_after": (now + timedelta(days=90)).isoformat(),
            "epsilon": 1.0,
        }
        study = str(self.researcher.api.post("/v1/studies", proposal)["study_id"])
        draft = api.get(f"/v1/studies/{study}/permit-draft")["typed_data"]
        signed = {"submit_by": draft["message"]["submitBy"], "signature": board.sign_typed(draft)}
        api.post(f"/v1/studies/{study}/approval", signed)
        return study


def wish(grantee: str, *, days: int) -> dict[str, Any]:
    return {
        "kind": "permit",
        "grantee": grantee,
        "purposes": ["TREAT"],
        "categories": CATEGORIES,
        "actions": ["access"],
        "not_after": (datetime.now(UTC) + timedelta(days=days)).isoformat(),
    }
