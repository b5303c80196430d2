"""The real program in its own process, killed and started again, and the people who use it over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient

from backend.adapters.process import free_port
from backend.demo.actors import Api, Provider, Wallet

START_SECONDS = 60.0
CATEGORIES = ["laboratory"]


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
    """``assent up --no-samples`` on a data directory and a port that stay the same over restarts."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.log = directory / "program.log"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "backend.cli", "up", "--no-samples", "--port", str(self.port),
                    "--data-directory", str(self.data), "--public-url", self.url,
                ],
                env={**os.environ, "ASSENT_ANCHOR_INTERVAL_SECONDS": "2"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        eventually(self._is_ready, seconds=START_SECONDS, what="the program is ready")

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
        api = Api(self.http)
        account = json.loads((self.data / "operator.json").read_text())
        api.token = api.post("/v1/auth/staff", account)["access_token"]
        return api

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the program ended:\n{self.log.read_text()[-3000:]}")
        try:
            return self.http.get("/health/ready", timeout=5).is_success
        except httpx.TransportError:
            return False


def is_alive(pid: int) -> bool:
    """Whether the process runs; a dead one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


class People:
    """A patient, a hospital that stores, a clinic that may read all, another one that may not yet."""

    def __init__(self, program: Program) -> None:
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

    def reconnect(self) -> None:
        """Use the program's new connection; tokens outlive a restart."""
        for actor in (self.hospital, self.clinic, self.other, self.patient):
            actor.api.http = self.program.http

    def permit(self, grantee: str, *, days: int) -> str:
        return str(self.patient.consent(**wish(grantee, days=days))["consent_id"])

    def draft(self, grantee: str, *, days: int) -> tuple[str, dict[str, Any]]:
        """A signed grant that was not sent yet: its id and the body to send."""
        api = self.patient.api
        draft = api.post("/v1/consents/draft", {"subject": self.patient.subject, **wish(grantee, days=days)})
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


def wish(grantee: str, *, days: int) -> dict[str, Any]:
    return {
        "kind": "permit",
        "grantee": grantee,
        "purposes": ["TREAT"],
        "categories": CATEGORIES,
        "actions": ["access"],
        "not_after": (datetime.now(UTC) + timedelta(days=days)).isoformat(),
    }
