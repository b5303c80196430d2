"""A patient who has mail."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from backend.adapters.index.consent_index import MongoConsentIndex
from backend.consent.requests import place_of
from backend.demo.actors import Api
from backend.sealed import DocumentSealer
from backend.types import Bytes32, UnixSeconds
from tests.integration.api.world import Patient, Service
from tests.support.mail_server import Mail, MailServer

FROM = "notices@custodian.test"
CODE = re.compile(r"^[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}$", re.MULTILINE)
STOP = re.compile(r"https?://\S+/v1/contact/unsubscribe/\S+")
FIRST_LINES = {
    "requested": "Somebody asks for your consent.",
    "lapsing": "A request for your consent waits for your answer.",
    "lapsed": "A request for your consent has lapsed",
    "granted": "A consent of yours was recorded.",
    "revoked": "A consent of yours has ended.",
    "acknowledged": "The end of a consent of yours was acknowledged.",
    "overdue": "The end of a consent of yours was not acknowledged",
    "expiring": "A consent of yours ends soon.",
    "accessed": "There were accesses",
    "moving": "Somebody has begun to move your records",
}


@dataclass
class Mailed:
    patient: Patient
    server: MailServer
    service: Service
    address: str

    @property
    def api(self) -> Api:
        return self.patient.api

    @property
    def params(self) -> dict[str, str]:
        return {"subject": self.patient.subject}

    def put(self, address: str, **wish: Any) -> dict[str, Any]:
        body = {"address": address, **wish}
        found: dict[str, Any] = self.api.call("PUT", "/v1/contact", params=self.params, json=body).json()
        return found

    def code(self, address: str | None = None) -> str:
        """Return the code of the newest mail that brings one."""
        wanted = address or self.address
        eventually(lambda: any(CODE.search(mail.text) for mail in self.server.to(wanted)), "a code came")
        return [found[0] for mail in self.server.to(wanted) if (found := CODE.search(mail.text))][-1]

    def confirm(self, address: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.api.post(
            "/v1/contact/confirm", {"code": self.code(address)}, **self.params
        )
        return found

    def contact(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get("/v1/contact", **self.params)
        return found

    def told(self, what: str, address: str | None = None) -> list[Mail]:
        first = FIRST_LINES[what]
        return [mail for mail in self.server.to(address or self.address) if mail.text.startswith(first)]

    def wait(self, what: str, number: int = 1, *, seconds: float = 30) -> list[Mail]:
        eventually(lambda: len(self.told(what)) >= number, f"{number} of {what}", seconds=seconds)
        return self.told(what)

    def waiting(self, **narrower: Any) -> list[dict[str, Any]]:
        """Mails of this patient in the index, as they lie there."""
        mine = {"receiver": self.patient.subject.removeprefix("0x"), **narrower}
        return list(self.service.world.stores.database["mails"].find(mine))

    def hasten(self, topic: str) -> None:
        """Let the time come for mails of this topic."""
        eventually(lambda: bool(self.waiting(topic=topic)), f"{topic} waits")
        mine = {"receiver": self.patient.subject.removeprefix("0x"), "topic": topic, "state": "waiting"}
        self.service.world.stores.database["mails"].update_many(mine, {"$set": {"due_at": 1}})

    def lapse(self, request: str) -> None:
        """Have a request be one that lapsed long ago: its end is bound to what is sealed in it."""
        stores = self.service.world.stores
        sealer, name = DocumentSealer(stores.keys), Bytes32(bytes.fromhex(request.removeprefix("0x")))
        row = MongoConsentIndex(stores.database).request(name)
        assert row is not None
        plain = sealer.open(row.sealed, subject=row.subject, place=place_of(row))
        lapsed = replace(row, lapses_at=UnixSeconds(1))
        sealed = sealer.seal(plain, subject=row.subject, place=place_of(lapsed))
        changes = {"lapses_at": 1, "sealed": sealed}
        changed = stores.database["consent_requests"].update_one({"_id": name.hex()}, {"$set": changes})
        assert changed.matched_count == 1

    def remind(self, topic: str) -> None:
        """Let the time come for reminders of this topic."""
        reminders = self.service.world.stores.database["reminders"]
        mine = {"subject": self.patient.subject.removeprefix("0x"), "topic": topic}
        eventually(lambda: reminders.count_documents(mine) > 0, f"{topic} waits")
        reminders.update_many(mine, {"$set": {"due_at": 1}})
        eventually(lambda: reminders.count_documents(mine) == 0, f"{topic} came")


def eventually(holds: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.03)
