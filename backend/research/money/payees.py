"""Where a patient is paid for a study: named by the patient, signed, and kept under the patient's own key.

docs/decisions/0032-payees.md says why. The chain binds an account to the first study that pays it, and never
learns whose it is; here, where that is known, the account that decides for the patient is refused, and so is
one that was named for another study, by anybody.
"""

from __future__ import annotations

import hmac
import json
from typing import Any, Final, Protocol

from backend.audit import codes
from backend.audit.entry import Agent
from backend.consent.ledger_types import NOBODY
from backend.identity.ports import ContractWallets
from backend.identity.signatures import is_signed_by, personal_digest
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.research.money.entries import MoneyEntries, asked_by
from backend.research.money.errors import NothingToClaim, PayeeOutdated, PayeeRefused, PayeeSignatureInvalid
from backend.research.money.ports import Members, MoneyLedger, PayeeStore, ShareStore
from backend.research.money.rows import PayeeRow
from backend.research.money.types import Payee, PayeeKind
from backend.sealed import DocumentSealer, require_schema
from backend.types import Address, Bytes32, SubjectId, subject_text, to_hex

ACT: Final = "payee"
_WORDS: Final = {
    PayeeKind.OWN: "an account of mine, made for this study",
    PayeeKind.OTHER: "somebody else's account",
    PayeeKind.DONATION: "a donation",
}
_SCHEMA: Final = 1


class Deciders(Protocol):
    """Who decides for a patient."""

    def __call__(self, account: Address, subject: SubjectId) -> bool:
        """Whether the account controls the subject or is its guardian now. Raises LedgerUnavailable."""
        ...


class Payees:
    """``account_key`` (32 bytes) turns an account into its mark, so that a second use is found without a list
    of accounts. Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        ledger: MoneyLedger,
        members: Members,
        payees: PayeeStore,
        shares: ShareStore,
        may_decide: Deciders,
        contracts: ContractWallets,
        sealer: DocumentSealer,
        account_key: bytes,
        outbox: Outbox,
        entries: MoneyEntries,
    ) -> None:
        self._ledger = ledger
        self._members = members
        self._payees = payees
        self._shares = shares
        self._may_decide = may_decide
        self._contracts = contracts
        self._sealer = sealer
        self._account_key = account_key
        self._outbox = outbox
        self._entries = entries
        outbox.register(ACT, {"received": self._keep, "kept": self._log})

    def draft(self, study: Bytes32, subject: SubjectId, account: Address, kind: PayeeKind) -> tuple[str, int]:
        """Return the text to sign and its number. Raises NothingToClaim where the study did not use the
        patient's data, PayeeRefused."""
        self._require_share(study, subject)
        self._require_fit(study, subject, account, kind)
        row = self._payees.get(study, subject)
        number = 1 if row is None else row.number + 1
        return self._text(study, subject, account, kind, number), number

    def name(self, payee: Payee, *, by: Agent) -> None:
        """Keep a signed choice; it counts for every payout that is built from now on. The same again is
        acknowledged again. Raises NothingToClaim, PayeeRefused, PayeeSignatureInvalid, PayeeOutdated."""
        self._require_share(payee.study, payee.subject)
        self._require_signed(payee)
        act_id = f"{payee.study.hex()}/{payee.subject:024x}/{payee.number}"
        if self._outbox.find(ACT, act_id) is None:
            self._require_fit(payee.study, payee.subject, payee.account, payee.kind)
            row = self._payees.get(payee.study, payee.subject)
            if payee.number != (1 if row is None else row.number + 1):
                raise PayeeOutdated(field="number")
        data = {
            "digest": hmac.digest(self._account_key, _encode(payee), "sha256"),
            "subject": f"{payee.subject:024x}",
            "study": bytes(payee.study),
            "number": payee.number,
            "mark": self._mark(payee.account),
            "sealed": self._sealer.seal(
                _encode(payee), subject=payee.subject, place=place_of(payee.study, payee.subject)
            ),
            "by": asked_by(by),
        }
        self._outbox.drive(self._outbox.begin(ACT, act_id, state="received", data=data))

    def of(self, study: Bytes32, subject: SubjectId) -> Payee | None:
        row = self._payees.get(study, subject)
        return None if row is None else self.opened(row)

    def opened(self, row: PayeeRow) -> Payee:
        """Raises IntegrityError for a row that was changed, SecretNotFound for one of an erased person."""
        document = self._sealer.open(row.sealed, subject=row.subject, place=place_of(row.study, row.subject))
        return _decode(document, row)

    def is_fit(self, payee: Payee) -> bool:
        """Whether the choice can still be paid: what the chain says of an account may have changed."""
        try:
            self._require_payable(payee.study, payee.account, payee.kind)
        except PayeeRefused:
            return False
        return True

    def _require_share(self, study: Bytes32, subject: SubjectId) -> None:
        if not any(share.study == study for share in self._shares.of_subject(subject)):
            raise NothingToClaim

    def _require_fit(self, study: Bytes32, subject: SubjectId, account: Address, kind: PayeeKind) -> None:
        self._require_payable(study, account, kind)
        if kind is PayeeKind.DONATION:
            return
        if self._may_decide(account, subject):
            raise PayeeRefused("This is the wallet that decides for the patient.", field="account")
        if self._payees.is_used_elsewhere(self._mark(account), study):
            raise PayeeRefused("This account is named for another study.", field="account")

    def _require_payable(self, study: Bytes32, account: Address, kind: PayeeKind) -> None:
        """What the contract refuses to pay."""
        if account in (NOBODY, self._ledger.market, self._ledger.token):
            raise PayeeRefused("This account can receive nothing.", field="account")
        if kind is PayeeKind.DONATION:
            if not self._ledger.is_donation(account):
                raise PayeeRefused("The board did not name this account for donations.", field="account")
            return
        bound = self._ledger.study_of_payee(account)
        if any(bound) and bound != study:
            raise PayeeRefused("This account was paid for another study.", field="account")
        if self._members.holder(account) is not None:
            raise PayeeRefused("This is an organisation's account.", field="account")

    def _require_signed(self, payee: Payee) -> None:
        """The signer decides for the patient, and signed exactly this choice."""
        text = self._text(payee.study, payee.subject, payee.account, payee.kind, payee.number)
        if not self._may_decide(payee.signer, payee.subject) or not is_signed_by(
            payee.signer, personal_digest(text), payee.signature, contracts=self._contracts
        ):
            raise PayeeSignatureInvalid(field="signature")

    def _text(
        self, study: Bytes32, subject: SubjectId, account: Address, kind: PayeeKind, number: int
    ) -> str:
        return (
            f"Pay me for a study at this account: {account}\n"
            f"It is {_WORDS[kind]}.\n\n"
            f"Study: {to_hex(study)}\n"
            f"Patient: {subject_text(subject)}\n"
            f"Choice: {number}\n"
            f"Chain: {self._ledger.chain_id}\n"
            f"Contract: {self._ledger.market}\n\n"
            "This gives no consent."
        )

    def _mark(self, account: Address) -> bytes:
        return hmac.digest(self._account_key, bytes.fromhex(account.removeprefix("0x")), "sha256")

    def _keep(self, act: Act) -> Advance:
        data = act.data
        self._payees.put(
            PayeeRow(
                study=Bytes32(bytes(data["study"])),
                subject=_subject(act),
                mark=bytes(data["mark"]),
                number=data["number"],
                sealed=bytes(data["sealed"]),
            )
        )
        return Advance("kept", {})

    def _log(self, act: Act) -> Advance:
        detail = {"study": bytes(act.data["study"]), "number": act.data["number"]}
        self._entries.append(act, codes.PAYEE_NAMED, detail, subject=_subject(act))
        return Advance(DONE, {})


def place_of(study: bytes, subject: SubjectId) -> str:
    """Return where a choice is sealed for."""
    return f"payees/{study.hex()}/{subject:024x}"


def _encode(payee: Payee) -> bytes:
    return json.dumps(
        {
            "schema": _SCHEMA,
            "account": payee.account,
            "kind": payee.kind.value,
            "number": payee.number,
            "signer": payee.signer,
            "signature": payee.signature.hex(),
        }
    ).encode()


def _decode(document: bytes, row: PayeeRow) -> Payee:
    found: dict[str, Any] = json.loads(document)
    require_schema(found["schema"], _SCHEMA)
    return Payee(
        study=row.study,
        subject=row.subject,
        account=Address(found["account"]),
        kind=PayeeKind(found["kind"]),
        number=found["number"],
        signer=Address(found["signer"]),
        signature=bytes.fromhex(found["signature"]),
    )


def _subject(act: Act) -> SubjectId:
    return SubjectId(int(act.data["subject"], 16))
