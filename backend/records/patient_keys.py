"""Patients' own encryption keys: made on their side, bound by their wallet, withdrawn at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.authority import require_signed_by
from backend.consent.drafting import SUBMIT_WITHIN_SECONDS
from backend.consent.evidence import EvidenceBook
from backend.consent.key_terms import AllowMediated, BindKey, WithdrawKey
from backend.consent.ledger_types import BoundKey
from backend.consent.ports import SubjectKeys
from backend.consent.relay import ConsentRelay
from backend.consent.service import act_identity
from backend.consent.terms_json import from_json, to_json
from backend.consent.typed_data import Domain, struct_hash, typed_data
from backend.errors import AssentError, LedgerUnavailable, Unavailable
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, FAILED, Act, Advance
from backend.records.key_errors import KeyBindingTooLate, KeyNumberNotNext, PublicKeyDiffers
from backend.records.ports import KeyHolder, PublicKeyStore
from backend.records.sealing import RecipientKey
from backend.types import Bytes32, SubjectId, UnixSeconds, subject_text

BINDING: Final = "key_binding"
WITHDRAWAL: Final = "key_withdrawal"


@dataclass(frozen=True, slots=True)
class KeyState:
    """``bound``: the key that counts, None for none. ``is_pending``: a binding is received and not final."""

    bound: BoundKey | None
    is_pending: bool


class PatientKeys:
    """Build the steps once, with the constructor, before acts are driven. ``domain``: of the KeyRegistry."""

    def __init__(
        self,
        *,
        store: PublicKeyStore,
        ledger: SubjectKeys,
        evidence: EvidenceBook,
        relay: ConsentRelay,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        domain: Domain,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._evidence = evidence
        self._relay = relay
        self._outbox = outbox
        self._driver = driver
        self._audit = audit
        self._domain = domain
        self._clock = clock
        self._withdrawn: dict[SubjectId, int] = {}
        self._lock = Lock()
        outbox.register(BINDING, {"received": self._keep, "kept": self._bind, "bound": self._log_binding})
        outbox.register(WITHDRAWAL, {"received": self._log_withdrawal, "logged": self._withdraw})

    # --- reading

    def state(self, subject: SubjectId) -> KeyState:
        """Raise LedgerUnavailable."""
        bound = self._ledger.key_of(subject)
        if bound is not None and bound.sequence <= self.withdrawn(subject):
            bound = None
        under_way = (act for act in self._outbox.unfinished(BINDING) if act.state != "bound")
        return KeyState(bound, any(_binding(act).subject == subject for act in under_way))

    def withdrawn(self, subject: SubjectId) -> int:
        """Return the highest number whose withdrawal is received and not on the chain yet; 0 for none."""
        with self._lock:
            return self._withdrawn.get(subject, 0)

    # --- binding

    def draft_binding(self, subject: SubjectId, key: RecipientKey) -> Mapping[str, Any]:
        """Return the typed data with which the controller binds this key as the next one."""
        submit_by = UnixSeconds(self._clock() + SUBMIT_WITHIN_SECONDS)
        following = self._ledger.last_number(subject) + 1
        return typed_data(BindKey(subject, Bytes32(key.id), following, submit_by), self._domain)

    def bind(self, key: RecipientKey, command: BindKey, signature: bytes) -> KeyState:
        """Take a signed binding, and return when it is on the chain. The same again gives the same answer.

        Raises PublicKeyDiffers, KeyBindingTooLate, KeyNumberNotNext, SignatureInvalid, WrongSigner;
        LedgerRejected or ActFailed where the contract refuses (a recovery is pending, for one);
        LedgerUnavailable when it was kept and follows once the chain answers.
        """
        if command.key_hash != key.id:
            raise PublicKeyDiffers(field="public_key")
        act_id = struct_hash(command).hex()
        act = self._outbox.find(BINDING, act_id)
        if act is None:
            if command.submit_by < self._clock():
                raise KeyBindingTooLate(field="message.submitBy")
            if command.sequence != self._ledger.last_number(command.subject) + 1:
                raise KeyNumberNotNext(field="message.sequence")
            self._require_controller(command, signature)
            data = {"digest": struct_hash(command), "public_key": key.encoded}
            act = self._outbox.begin(
                BINDING, act_id, state="received", data={**data, **_signed(command, signature)}
            )
        else:  # taken before; the bytes may have been lost since
            self._store.put(KeyHolder(command.subject), command.key_hash, key.encoded)
        self._driven(self._outbox.drive(act, until="bound"))
        return self.state(command.subject)

    def _keep(self, act: Act) -> Advance:
        command = _binding(act)
        self._store.put(KeyHolder(command.subject), command.key_hash, act.data["public_key"])
        return Advance("kept", {})

    def _bind(self, act: Act) -> Advance:
        receipt = self._ledger.bind(_binding(act), act.data["signature"])
        return Advance("bound", {"block": receipt.block_number})

    def _log_binding(self, act: Act) -> Advance:
        command = _binding(act)
        self._append(act, codes.ENCRYPTION_KEY_BOUND, command.subject, command.sequence, command.key_hash)
        return Advance(DONE, {})

    # --- withdrawing

    def draft_withdrawal(self, subject: SubjectId) -> Mapping[str, Any]:
        """Return the typed data that withdraws what is bound and whatever binding is on its way."""
        return typed_data(WithdrawKey(subject, self._ledger.last_number(subject) + 1), self._domain)

    def withdraw(self, command: WithdrawKey, signature: bytes) -> None:
        """Put a signed withdrawal in force and return: nothing is sealed to these keys from here on.

        A stale one changes nothing. Raises SignatureInvalid, WrongSigner and KeyNumberNotNext where it can be
        checked and is not valid; while the chain is away it is kept, and checked as soon as it can be.
        """
        with suppress(LedgerUnavailable):
            self._require_in_order(command)
            self._require_controller(command, signature)
        data = {"digest": hashlib.sha256(signature).digest(), **_signed(command, signature)}
        act_id = self._free_id(command, signature)
        act = self._outbox.begin(WITHDRAWAL, act_id, state="received", data=data)
        if not act.is_over:
            self._mark(command)
            self._driven(self._outbox.drive(act, until="logged"))

    def restore_restrictions(self) -> None:
        """At start-up, before anything is sealed: withdrawals that were received count."""
        with self._lock:
            self._withdrawn.clear()
        for act in self._outbox.unfinished(WITHDRAWAL):
            self._mark(_withdrawal(act))

    def _free_id(self, command: WithdrawKey, signature: bytes) -> str:
        """The signature is part of the name, and one found false before gets another: no false withdrawal,
        kept unchecked, may stand in a true one's way."""
        act_id = f"{struct_hash(command).hex()}/{hashlib.sha256(signature).hexdigest()[:16]}"
        while (earlier := self._outbox.find(WITHDRAWAL, act_id)) is not None and earlier.state == FAILED:
            act_id += "/again"
        return act_id

    def _require_in_order(self, command: WithdrawKey) -> None:
        if command.sequence > self._ledger.last_number(command.subject) + 1:
            raise KeyNumberNotNext(field="message.sequence")

    def _mark(self, command: WithdrawKey) -> None:
        with self._lock:
            self._withdrawn[command.subject] = max(command.sequence, self._withdrawn.get(command.subject, 0))

    def _log_withdrawal(self, act: Act) -> Advance:
        command = _withdrawal(act)
        self._append(act, codes.ENCRYPTION_KEY_WITHDRAWN, command.subject, command.sequence)
        return Advance("logged", {})

    def _withdraw(self, act: Act) -> Advance:
        try:
            self._ledger.withdraw(_withdrawal(act), act.data["signature"])
        except Unavailable:
            raise
        except AssentError:
            self._release(act)  # false: it came to nothing
            raise
        self._release(act)  # the head says the same from here on
        return Advance(DONE, {})

    def _release(self, act: Act) -> None:
        subject = _withdrawal(act).subject
        others = [
            _withdrawal(each).sequence
            for each in self._outbox.unfinished(WITHDRAWAL)
            if each.act_id != act.act_id and _withdrawal(each).subject == subject
        ]
        with self._lock:
            self._withdrawn.pop(subject, None)
            if others:
                self._withdrawn[subject] = max(others)

    # --- both

    def require_mediated(self, command: AllowMediated, signature: bytes) -> None:
        """Raise LedgerRejected unless the patient signed this for the key that counts; LedgerUnavailable."""
        self._ledger.require_mediated(command, signature)

    def _require_controller(self, command: BindKey | WithdrawKey, signature: bytes) -> None:
        controller = self._evidence.subject(command.subject).controller
        require_signed_by(command, signature, controller, domain=self._domain, relay=self._relay)

    def _driven(self, act: Act) -> None:
        if not act.is_over:
            self._driver.hand_over(act)

    def _append(self, act: Act, type_: str, subject: SubjectId, sequence: int, key_hash: bytes = b"") -> None:
        detail: dict[str, DetailValue] = {"sequence": sequence}
        if key_hash:
            detail["key"] = key_hash
        self._audit.append(
            AuditEvent(
                type=type_,
                outcome=Outcome.CHANGED,
                occurred_at_ms=act.created_at * 1000,
                actor=Agent(AgentKind.SUBJECT, subject_text(subject)),
                subject=subject,
                detail=detail,
            ),
            act=act_identity(act),
        )


def _signed(command: BindKey | WithdrawKey, signature: bytes) -> dict[str, Any]:
    # By the subject an erasure finds it.
    return {"subject": f"{command.subject:024x}", "message": to_json(command), "signature": signature}


def _binding(act: Act) -> BindKey:
    return from_json(BindKey, act.data["message"])


def _withdrawal(act: Act) -> WithdrawKey:
    return from_json(WithdrawKey, act.data["message"])
