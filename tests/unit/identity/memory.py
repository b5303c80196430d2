"""Identity's stores in memory. The same suite runs on these and on MongoDB."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from backend.identity.types import Client, Enrolment, Family, SigningKeyState, StaffAccount
from backend.types import Address, SubjectId, UnixSeconds


class MemorySingleUse:
    def __init__(self) -> None:
        self.used: dict[str, UnixSeconds] = {}
        self._lock = threading.Lock()

    def consume(self, purpose: str, value: str, *, until: UnixSeconds) -> bool:
        with self._lock:
            key = f"{purpose}/{value}"
            if key in self.used:
                return False
            self.used[key] = until
            return True

    def purge(self, *, now: UnixSeconds) -> None:
        with self._lock:
            self.used = {key: until for key, until in self.used.items() if until > now}


class MemoryAttemptCounter:
    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int, int]] = {}  # count, last, locked until
        self._lock = threading.Lock()

    def reserve(self, key: str, *, now: UnixSeconds, limit: int, lock_seconds: int) -> bool:
        with self._lock:
            count, last, locked = self._seen.get(key, (0, now, 0))
            if locked > now:
                return False
            count = count + 1 if count < limit and now - last < lock_seconds else 1
            self._seen[key] = (count, now, now + lock_seconds if count >= limit else 0)
            return True

    def clear(self, key: str) -> None:
        with self._lock:
            self._seen.pop(key, None)

    def purge(self, *, before: UnixSeconds) -> None:
        with self._lock:
            self._seen = {key: seen for key, seen in self._seen.items() if max(seen[1:]) >= before}


class MemoryStaffStore:
    def __init__(self) -> None:
        self.rows: dict[str, StaffAccount] = {}
        self._lock = threading.Lock()

    def insert(self, account: StaffAccount) -> bool:
        with self._lock:
            if self.by_username(account.username) or account.staff_id in self.rows:
                return False
            self.rows[account.staff_id] = account
            return True

    def replace(self, account: StaffAccount) -> bool:
        with self._lock:
            if self.rows[account.staff_id].revision != account.revision - 1:
                return False
            self.rows[account.staff_id] = account
            return True

    def get(self, staff_id: str) -> StaffAccount | None:
        return self.rows.get(staff_id)

    def by_username(self, username: str) -> StaffAccount | None:
        return next((row for row in self.rows.values() if row.username == username), None)

    def all(self) -> Sequence[StaffAccount]:
        return sorted(self.rows.values(), key=lambda row: row.username)


class MemoryClientStore:
    def __init__(self) -> None:
        self.rows: dict[str, Client] = {}
        self._lock = threading.Lock()

    def insert(self, client: Client) -> bool:
        with self._lock:
            return self.rows.setdefault(client.client_id, client) is client

    def replace(self, client: Client) -> bool:
        with self._lock:
            if self.rows[client.client_id].revision != client.revision - 1:
                return False
            self.rows[client.client_id] = client
            return True

    def get(self, client_id: str) -> Client | None:
        return self.rows.get(client_id)

    def all(self) -> Sequence[Client]:
        return sorted(self.rows.values(), key=lambda row: row.client_id)


class MemoryFamilyStore:
    def __init__(self) -> None:
        self.rows: dict[str, Family] = {}
        self._lock = threading.Lock()

    def insert(self, family: Family) -> None:
        with self._lock:
            self.rows[family.family_id] = family

    def get(self, family_id: str) -> Family | None:
        return self.rows.get(family_id)

    def rotate(self, family_id: str, *, expected: bytes, family: Family) -> bool:
        with self._lock:
            current = self.rows[family_id]
            if current.ended or current.refresh_hash != expected:
                return False
            self.rows[family_id] = family
            return True

    def end(self, family_id: str) -> bool:
        with self._lock:
            current = self.rows.get(family_id)
            if current is None or current.ended:
                return False
            self.rows[family_id] = replace(current, ended=True)
            return True

    def end_all(self, principal: str) -> int:
        mine = [key for key, row in self.rows.items() if row.grant.principal == principal]
        return sum(self.end(key) for key in mine)

    def purge(self, *, now: UnixSeconds) -> None:
        with self._lock:
            self.rows = {key: row for key, row in self.rows.items() if row.expires_at > now}


class MemorySigningKeyStates:
    def __init__(self) -> None:
        self.rows: dict[int, SigningKeyState] = {}
        self._lock = threading.Lock()

    def all(self) -> Sequence[SigningKeyState]:
        return [self.rows[generation] for generation in sorted(self.rows)]

    def insert(self, state: SigningKeyState) -> bool:
        with self._lock:
            return self.rows.setdefault(state.generation, state) is state

    def retire(self, state: SigningKeyState) -> None:
        with self._lock:
            self.rows[state.generation] = state


class MemoryEnrolmentStore:
    def __init__(self) -> None:
        self.rows: dict[SubjectId, Enrolment] = {}
        self._lock = threading.Lock()

    def insert(self, enrolment: Enrolment) -> bool:
        with self._lock:
            if enrolment.subject_id in self.rows or self._taken(enrolment):
                return False
            self.rows[enrolment.subject_id] = enrolment
            return True

    def replace(self, enrolment: Enrolment) -> bool:
        with self._lock:
            current = self.rows[enrolment.subject_id]
            if current.revision != enrolment.revision - 1 or self._taken(enrolment):
                return False
            self.rows[enrolment.subject_id] = replace(enrolment, opened=current.opened)
            return True

    def count_attempt(self, code_prefix: str, *, limit: int) -> Enrolment | None:
        with self._lock:
            for subject_id, row in self.rows.items():
                if row.code_prefix == code_prefix and row.attempts < limit:
                    self.rows[subject_id] = replace(row, attempts=row.attempts + 1)
                    return self.rows[subject_id]
            return None

    def clear_attempts(self, code_prefix: str) -> None:
        with self._lock:
            for subject_id, row in self.rows.items():
                if row.code_prefix == code_prefix:
                    self.rows[subject_id] = replace(row, attempts=0)

    def mark_opened(self, subject_id: SubjectId) -> None:
        with self._lock:
            self.rows[subject_id] = replace(self.rows[subject_id], opened=True)

    def unopened(self) -> Sequence[Enrolment]:
        return [row for row in self.rows.values() if row.account is not None and not row.opened]

    def get(self, subject_id: SubjectId) -> Enrolment | None:
        return self.rows.get(subject_id)

    def by_record_index(self, record_index: bytes) -> Enrolment | None:
        return next((row for row in self.rows.values() if row.record_index == record_index), None)

    def by_account(self, account: Address) -> Sequence[Enrolment]:
        return [row for row in self.rows.values() if row.account == account]

    def subjects(self) -> Sequence[SubjectId]:
        return list(self.rows)

    def _taken(self, enrolment: Enrolment) -> bool:
        others = [row for row in self.rows.values() if row.subject_id != enrolment.subject_id]
        return any(
            row.code_prefix == enrolment.code_prefix or row.record_index == enrolment.record_index
            for row in others
        )
