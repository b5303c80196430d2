"""The acts of consent: who may open, grant, revoke, delegate and end, and what it does. See
``consent_rules``."""

from __future__ import annotations

from itertools import pairwise

from tests.differential.consent_rules import (
    DEEPEST,
    DELEGATION_KINDS,
    GRANT_KINDS,
    ConsentRules,
    Entry,
    Subject,
)
from tests.differential.documents import (
    DELEGATE,
    DELEGATION,
    DENY,
    FOREVER,
    GRANT,
    GUARDIANSHIP,
    NOBODY,
    REVOKE,
    ZERO,
    Delegation,
    Deputy,
    Grant,
    InPerson,
)
from tests.differential.member_model import CUSTODIAN
from tests.differential.outcome import Event, Refused, refuse


class ConsentModel(ConsentRules):
    # --- subjects

    def open_subject(self, subject: int, by: InPerson, submit_by: int, sender: str) -> list[Event]:
        custodian = self.members.member_with_role(sender, CUSTODIAN)
        faults = self._opening_faults(subject, custodian)
        if by.account == NOBODY:
            faults.add("ControllerZero")
        if self.now() > submit_by:
            faults.add("SubmittedTooLate")
        if by.flaw:
            faults.add("SignatureInvalid")
        refuse(faults)
        return self._open(subject, by.account, custodian, sender)

    def _opening_faults(self, subject: int, custodian: bytes) -> set[str]:
        faults = set() if subject else {"SubjectZero"}
        if custodian == ZERO:
            faults.add("NotCustodian")
        if subject in self.subjects:
            faults.add("SubjectAlreadyOpen")
        return faults

    def _open(self, subject: int, controller: str, custodian: bytes, sender: str) -> list[Event]:
        self.subjects[subject] = Subject(controller, custodian)
        fields = {"subject": subject, "controller": controller, "custodian": sender, "member": custodian}
        return [Event("SubjectOpened", **fields)]

    def open_under_guardian(self, guardianship: Delegation, by: InPerson, sender: str) -> list[Event]:
        custodian = self.members.member_with_role(sender, CUSTODIAN)
        faults = self._opening_faults(guardianship.subject, custodian)
        if guardianship.subject not in self.subjects:
            faults |= self._guardianship_faults(guardianship, by, epoch=0)
        refuse(faults)
        opened = self._open(guardianship.subject, NOBODY, custodian, sender)
        return [*opened, self._delegation_recorded(guardianship)]

    def add_guardian(self, guardianship: Delegation, by: InPerson, sender: str) -> list[Event]:
        subject = self.subjects.get(guardianship.subject)
        if subject is None:
            raise Refused({"SubjectUnknown"})
        faults = self._document_faults(guardianship) | self._guardianship_faults(
            guardianship, by, subject.epoch
        )
        faults |= self._opener_faults(subject, sender)
        if self.members.member_with_role(sender, CUSTODIAN) == ZERO:
            faults.add("NotCustodian")
        refuse(faults)
        return [self._delegation_recorded(guardianship)]

    def _opener_faults(self, subject: Subject, sender: str) -> set[str]:
        """Guardians of a subject without controller are its opening custodian's office."""
        faults = {"SubjectHasController"} if subject.controller != NOBODY else set()
        if self.members.member_of(sender) != subject.custodian:
            faults.add("NotOpeningCustodian")
        return faults

    def _guardianship_faults(self, guardianship: Delegation, by: InPerson, epoch: int) -> set[str]:
        faults = self._delegation_faults(guardianship, DEEPEST)
        if guardianship.kind != GUARDIANSHIP:
            faults.add("KindNotAllowed")
        if guardianship.parent != ZERO:
            faults.add("ParentInvalid")
        if guardianship.not_after == FOREVER:
            faults.add("SunsetMissing")
        if guardianship.epoch != epoch:
            faults.add("EpochNotCurrent")
        if self.now() > guardianship.submit_by:
            faults.add("SubmittedTooLate")
        if max(guardianship.not_before, self.now()) >= guardianship.not_after:
            faults.add("WindowEmpty")
        if by.signer != guardianship.delegate:
            faults.add("SignatureInvalid")
        return faults

    # --- grants

    def grant(self, header: Grant, by: InPerson | Deputy) -> list[Event]:
        faults = self._document_faults(header) | self._authority_faults(header.subject, by, GRANT)
        if header.kind not in GRANT_KINDS:
            faults.add("KindNotAllowed")
        if isinstance(by, Deputy) and by.chain and header.not_after > by.chain[0].not_after:
            faults.add("OutlivesDelegation")
        if header.supersedes != ZERO:
            faults |= self._superseding_faults(header, by)
        refuse(faults)
        events = self._revoke(header.supersedes) if header.supersedes != ZERO else []
        delegation = by.chain[0].id if isinstance(by, Deputy) else ZERO
        entry = self._record(header, delegation)
        fields = {"id": header.id, "subject": header.subject, "slot": entry.slot(), "delegation": delegation}
        return [*events, Event("ConsentGranted", **fields)]

    def _superseding_faults(self, header: Grant, by: InPerson | Deputy) -> set[str]:
        """Only who could revoke the old one may supersede it."""
        old = self.entries.get(header.supersedes)
        if old is None:
            return {"SupersededUnknown"}
        faults = {"SupersededElsewhere"} if old.subject != header.subject else set()
        if old.kind not in GRANT_KINDS:
            faults.add("SupersededElsewhere")
        if isinstance(by, Deputy) and by.chain and not by.chain[0].powers & REVOKE:
            faults.add("PowerMissing")
        return faults

    # --- revocations

    def powers_to_revoke(self, kind: int) -> int:
        """To end a deny widens what others may do."""
        return REVOKE | GRANT if kind == DENY else REVOKE

    def _deputy_faults(self, kind: int, by: InPerson | Deputy) -> set[str]:
        """A delegation ends by a guardian only, a guardianship by no delegate."""
        if not isinstance(by, Deputy) or kind in GRANT_KINDS:
            return set()
        is_guardian = bool(by.chain) and by.chain[0].kind == GUARDIANSHIP
        return set() if kind == DELEGATION and is_guardian else {"KindNotAllowed"}

    def revoke(self, id_: bytes, by: InPerson | Deputy) -> list[Event]:
        entry = self.entries.get(id_)
        if entry is None:
            raise Refused({"ConsentUnknown"})
        if self.ended_at(entry):
            return []  # twice does nothing, whoever asks
        faults = self._authority_faults(entry.subject, by, self.powers_to_revoke(entry.kind))
        refuse(faults | self._deputy_faults(entry.kind, by))
        return self._revoke(id_)

    def revoke_ahead(self, document: Grant | Delegation, by: InPerson | Deputy) -> list[Event]:
        faults = set() if document.subject in self.subjects else {"SubjectUnknown"}
        kinds = GRANT_KINDS if isinstance(document, Grant) else DELEGATION_KINDS
        if document.kind not in kinds:
            faults.add("KindNotAllowed")
        if document.id in self.entries and self.ended_at(self.entries[document.id]):
            return []
        faults |= self._authority_faults(document.subject, by, self.powers_to_revoke(document.kind))
        refuse(faults)
        if document.id in self.entries:
            return self._revoke(document.id)
        return [self._block(document)]

    def _block(self, document: Grant | Delegation) -> Event:
        entry = Entry(document.subject, document.kind, document.epoch, 0, document.not_after, self.now())
        self.entries[document.id] = entry
        fields = {"id": document.id, "subject": document.subject, "slot": entry.slot()}
        return Event("ConsentRevokedAhead", **fields)

    def revoke_all(self, subject: int, epoch: int, by: InPerson | Deputy) -> list[Event]:
        if subject not in self.subjects:
            raise Refused({"SubjectUnknown"})
        faults = self._authority_faults(subject, by, REVOKE)
        if isinstance(by, Deputy) and by.chain and by.chain[0].kind != GUARDIANSHIP:
            faults.add("KindNotAllowed")
        refuse(faults)
        if self.subjects[subject].epoch != epoch:
            return []
        self.subjects[subject].epoch += 1
        return [Event("AllRevoked", subject=subject, epoch=epoch + 1)]

    # --- delegations

    def _delegation_faults(self, header: Delegation, deepest: int) -> set[str]:
        faults = {"DelegateZero"} if header.delegate == NOBODY else set()
        if not 1 <= header.powers <= 15:
            faults.add("PowersInvalid")
        if header.depth > deepest:
            faults.add("DepthInvalid")
        return faults

    def delegate(self, header: Delegation, by: InPerson | Deputy) -> list[Event]:
        faults = self._document_faults(header) | self._authority_faults(header.subject, by, DELEGATE)
        if isinstance(by, Deputy):
            faults |= self._passing_on_faults(header, by)
        else:
            faults |= self._delegation_faults(header, DEEPEST)
            if header.kind not in DELEGATION_KINDS:
                faults.add("KindNotAllowed")
            if header.parent != ZERO:
                faults.add("ParentInvalid")
        refuse(faults)
        return [self._delegation_recorded(header)]

    def _passing_on_faults(self, child: Delegation, by: Deputy) -> set[str]:
        """Never wider in powers, depth or end than what it derives from, and never a guardianship."""
        if not by.chain:
            return set()
        parent = by.chain[0]
        faults = self._delegation_faults(child, parent.depth - 1)
        if child.kind != DELEGATION:
            faults.add("KindNotAllowed")
        if child.parent != parent.id:
            faults.add("ParentInvalid")
        if child.powers & ~parent.powers:
            faults.add("PowerMissing")
        if child.not_after > parent.not_after:
            faults.add("OutlivesDelegation")
        return faults

    def _delegation_recorded(self, header: Delegation) -> Event:
        entry = self._record(header)
        fields = {
            "id": header.id,
            "subject": header.subject,
            "delegate": header.delegate,
            "slot": entry.slot(),
        }
        return Event("DelegationRecorded", **fields)

    def end_delegation(self, chain: tuple[Delegation, ...], position: int, by: InPerson) -> list[Event]:
        """By the delegate of ``chain[position]``: its own (it resigns), or what was passed on below it."""
        if position >= len(chain):
            raise Refused({"ChainLengthInvalid"})
        ended = chain[0]
        if ended.id in self.entries and self.entries[ended.id].revoked_at:
            return []
        below = chain[: position + 1]
        faults = set() if all(a.parent == b.id for a, b in pairwise(below)) else {"ChainBroken"}
        if by.signer != chain[position].delegate:
            faults.add("SignatureInvalid")
        if ended.id not in self.entries:
            faults |= self._unrecorded_faults(ended, chain[1:], position)
        refuse(faults)
        return self._revoke(ended.id) if ended.id in self.entries else [self._block(ended)]

    def _unrecorded_faults(self, ended: Delegation, above: tuple[Delegation, ...], position: int) -> set[str]:
        """What is not recorded can be blocked only from above, where the delegations are live."""
        faults = self.chain_faults(ended.subject, above, 0) if position else {"ConsentUnknown"}
        if ended.subject not in self.subjects:
            faults.add("SubjectUnknown")
        if ended.kind != DELEGATION:
            faults.add("KindNotAllowed")
        return faults

    def end_guardianship(self, id_: bytes, sender: str) -> list[Event]:
        entry = self.entries.get(id_)
        if entry is None or entry.kind != GUARDIANSHIP:
            raise Refused({"ConsentUnknown"})
        refuse(self._opener_faults(self.subjects[entry.subject], sender))
        return self._revoke(id_)

    # --- ending for cause

    def end_for_cause(self, id_: bytes, by: InPerson | Deputy) -> list[Event]:
        entry = self.entries.get(id_)
        if entry is None or entry.kind not in DELEGATION_KINDS:
            raise Refused({"ConsentUnknown"})
        if id_ in self.ended_for_cause:
            return []
        if isinstance(by, Deputy):
            faults = self._authority_faults(entry.subject, by, REVOKE) | self._deputy_faults(entry.kind, by)
        elif self.subjects[entry.subject].controller == NOBODY and entry.kind == DELEGATION:
            faults = {"KindNotAllowed"}  # a guardian's office
        elif self.subjects[entry.subject].controller == NOBODY:
            sender = by.account if by.way == "sends" else NOBODY
            faults = self._opener_faults(self.subjects[entry.subject], sender)
        else:
            faults = {"SignatureInvalid"} if self._authority_faults(entry.subject, by, 0) else set()
        refuse(faults)
        self.ended_for_cause[id_] = self.now()
        ended = Event("DelegationEndedForCause", id=id_, subject=entry.subject, endedAt=self.now())
        return [ended, *self._revoke(id_)]
