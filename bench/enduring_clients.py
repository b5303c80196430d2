"""The people of the long run: patients who permit and stop, a hospital that stores, two clinics that read.

Each acts over HTTP in a thread of its own, sends what was not answered again, and notes what it was promised.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import httpx

from backend.demo.actors import Api, Persistent, Provider, Refused, Wallet
from bench.enduring_model import Answer, Document, Permit, Promised, Verdict
from bench.scene import CATEGORY, segment_path

OWNERS: Final = 6
READERS: Final = 3
_ROUNDS: Final = 8  # of permit and stop, then another patient comes
_PATIENCE_SECONDS: Final = 300.0
_COUNTS_SECONDS: Final = 180.0  # a fault may hold the chain so long
_THINKING_SECONDS: Final = 0.1
_SMALL_BYTES: Final = 4_096
_LARGE_BYTES: Final = 1_000_000
_LARGE_EVERY: Final = 10
_SIGN_INS: Final = 5
_TIMEOUT_SECONDS: Final = 30.0


@dataclass(slots=True)
class Person:
    """A patient. The standing clinic may read from the beginning, the other one now and then."""

    wallet: Wallet
    promised: Promised = field(default_factory=Promised)

    @property
    def subject(self) -> str:
        return self.wallet.subject


class Crowd:
    """``verdicts``: how many answers of each kind there were. ``odd``: what nobody should have got."""

    def __init__(self, url: str, operator: dict[str, str]) -> None:
        self._url = url
        self._stack = ExitStack()
        self.http = self.persistent()
        self.operator = Api(self.http)
        self.operator.token = self.operator.post("/v1/auth/staff", operator)["access_token"]
        tenant = self.http.get("/v1/ledger").json()["tenant"]
        self.hospital = self._provider("hospital", tenant)
        self.standing = self._provider("standing clinic", self._member("Standing Clinic"))
        self.other = self._provider("other clinic", self._member("Other Clinic"))
        self.people: list[Person] = []
        self.verdicts: Counter[Verdict] = Counter()
        self.odd: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._over = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._own, args=(random.Random(seed),)) for seed in range(OWNERS)),
            *(
                threading.Thread(target=self._read_on, args=(random.Random(~seed),))
                for seed in range(READERS)
            ),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each end what it has begun."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        self._stack.close()

    def persistent(self) -> Persistent:
        made = Persistent(_PATIENCE_SECONDS, base_url=self._url, timeout=_TIMEOUT_SECONDS)
        return self._stack.enter_context(made)

    def impatient(self) -> httpx.Client:
        return self._stack.enter_context(httpx.Client(base_url=self._url, timeout=_TIMEOUT_SECONDS))

    def clinics(self) -> Sequence[Provider]:
        return self.standing, self.other

    def read(self, http: httpx.Client, clinic: Provider, person: Person, record: str) -> Verdict:
        """Read once, judge the answer and count it."""
        document = person.promised.records[record]
        answer = _asked(Api(http, clinic.api.token), segment_path(record))
        verdict = person.promised.take(clinic.member_id, answer, document)
        with self._lock:
            self.verdicts[verdict] += 1
            if verdict is Verdict.ODD:
                self.odd[f"read: {answer.status}"] += 1
        return verdict

    def enrol(self, http: httpx.Client) -> Person:
        """Bring a patient in, with a first record and a permit to the standing clinic."""
        number = next(self._numbers)
        issued = Api(http, self.operator.token).post(
            "/v1/enrolments", {"record_number": f"LONG-{number}", "name": "A Patient"}
        )
        person = Person(Wallet(Api(http)))
        person.wallet.claim(issued["code"])
        _sign_in(person.wallet)
        with self._lock:
            self.people.append(person)
        self.store(http, person, Document(number, _SMALL_BYTES))
        self.permit(person, self.standing)
        return person

    def store(self, http: httpx.Client, person: Person, document: Document) -> None:
        person.promised.tried += 1
        stored = Api(http, self.hospital.api.token).call(
            "POST",
            "/v1/records",
            params={"subject": person.subject, "categories": CATEGORY, "sensitivities": "N"},
            content=document.content,
            headers={
                "Content-Type": "application/octet-stream",
                "Idempotency-Key": f"{person.subject} {document.seed}",
            },
        )
        with person.promised.lock:
            person.promised.records[str(stored.json()["record_id"])] = document

    def permit(self, person: Person, clinic: Provider) -> Permit:
        """Sign a permit and hand it in until it is acknowledged."""
        draft = person.wallet.api.post(
            "/v1/consents/draft",
            {
                "subject": person.subject,
                "kind": "permit",
                "grantee": clinic.member_id,
                "purposes": ["TREAT"],
                "categories": [CATEGORY],
                "actions": ["access"],
                "not_after": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
            },
        )
        made = person.promised.permit(clinic.member_id, draft["consent_id"], time.monotonic())
        person.wallet.submit("/v1/consents", draft)
        made.acknowledged = time.monotonic()
        return made

    def end(self, person: Person, permit: Permit) -> None:
        draft = person.wallet.api.post("/v1/revocations/draft", {"consent_id": permit.consent_id})
        body = {
            "consent_id": permit.consent_id,
            "signature": person.wallet.sign_typed(draft["typed_data"]),
        }
        permit.stop_sent = time.monotonic()
        Api(person.wallet.api.http).post("/v1/revocations", body)
        permit.stopped = time.monotonic()

    def _own(self, dice: random.Random) -> None:
        """Be one patient after another, and the hospital that stores for them."""
        http, impatient = self.persistent(), self.impatient()
        while not self._over.wait(_THINKING_SECONDS):
            with self._noting("patient"):
                person = self.enrol(http)
                for _ in range(_ROUNDS):
                    if self._over.is_set():
                        return
                    self._round(http, impatient, person, dice)

    def _round(self, http: Persistent, impatient: httpx.Client, person: Person, dice: random.Random) -> None:
        def read(clinic: Provider) -> Verdict:
            return self.read(impatient, clinic, person, dice.choice(list(person.promised.records)))

        size = _LARGE_BYTES if dice.randrange(_LARGE_EVERY) == 0 else dice.randrange(1, _SMALL_BYTES)
        self.store(http, person, Document(dice.getrandbits(63), size))
        permit = self.permit(person, self.other)
        deadline = time.monotonic() + _COUNTS_SECONDS
        while permit.counted is None:
            read(self.other)
            if time.monotonic() > deadline:
                self._note_odd("a permit that was acknowledged does not count")
                break
            time.sleep(_THINKING_SECONDS)
        for _ in range(5):
            read(self.other)
            read(self.standing)
        self.end(person, permit)
        for _ in range(5):
            read(self.other)
            time.sleep(_THINKING_SECONDS)

    def _read_on(self, dice: random.Random) -> None:
        """Read what anybody has, as either clinic."""
        http = self.impatient()
        while not self._over.wait(_THINKING_SECONDS):
            with self._lock:
                people = [person for person in self.people if person.promised.records]
            if people:
                # Mostly of those who permit and stop just now.
                person = dice.choice(people[-OWNERS:] if dice.random() < 0.7 else people)
                record = dice.choice(list(person.promised.records))
                with self._noting("read"):
                    self.read(http, dice.choice(self.clinics()), person, record)

    def _noting(self, what: str) -> _Noting:
        return _Noting(self._note_odd, what)

    def _note_odd(self, what: str) -> None:
        with self._lock:
            self.odd[what] += 1

    def _member(self, name: str) -> str:
        return str(self.operator.post("/v1/members", {"name": name, "roles": ["provider"]})["member_id"])

    def _provider(self, name: str, member: str) -> Provider:
        wanted = {"name": name, "roles": ["provider"], "member_id": member}
        made = self.operator.post("/v1/clients", wanted)
        provider = Provider(Api(self.http), made["client_id"], made["client_secret"], member)
        provider.sign_in()
        return provider


class _Noting:
    """What stops somebody is noted, and the next thing is done."""

    def __init__(self, note: Callable[[str], None], what: str) -> None:
        self._note = note
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, failure: BaseException | None, __: object) -> bool:
        if isinstance(failure, Refused):
            self._note(f"{self._what}: {failure.status} {failure.code}")
        elif isinstance(failure, Exception):
            self._note(f"{self._what}: {failure!r}")
        return isinstance(failure, Exception)


def _sign_in(wallet: Wallet) -> None:
    """A challenge serves once: where the answer was lost, another one is asked for."""
    for _ in range(_SIGN_INS):
        try:
            wallet.sign_in()
        except Refused:
            continue
        return
    wallet.sign_in()


def _asked(api: Api, path: str) -> Answer:
    began = time.monotonic()
    headers: dict[str, Any] = {"Authorization": f"Bearer {api.token}"}
    try:
        response = api.http.get(path, headers=headers)
    except httpx.TransportError:
        return Answer(began, time.monotonic(), None)
    return Answer(began, time.monotonic(), response.status_code, response.content)
