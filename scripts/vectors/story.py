"""A way to write down by hand what happens to a subject's consents, and what must be true of them when.

Nothing here asks a contract or our own code whether something counts: a ``Truth`` is what a person says.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from backend.adapters.ledger.headers import delegation_header
from backend.consent.ledger_types import NOBODY
from backend.consent.terms import Delegation, Document, Grant, Kind
from backend.consent.terms_json import to_json
from backend.consent.typed_data import consent_id
from backend.types import Address, ConsentId, SubjectId, to_hex
from scripts.vectors import world as w
from scripts.vectors.deployment import Step, account, error, returned

D = TypeVar("D", Grant, Delegation)
REGISTRY: Final = "ConsentRegistry"


@dataclass(frozen=True, slots=True)
class Truth:
    """What is stored of a document, and whether it counts. ``given_under`` names the delegation that a
    delegate used, while nobody revoked what was given."""

    begins: int
    ends: int
    live: bool
    revoked: int = 0
    given_under: str | None = None


UNRECORDED: Final = None  # nothing is stored, so nothing counts


@dataclass(frozen=True, slots=True)
class SubjectTruth:
    """Who controls the subject (None: nobody), how many revoke-alls there were, how much was recorded."""

    controller: str | None = "patient"
    epoch: int = 0
    count: int = 0
    opened: bool = True


@dataclass
class Story:
    """One sequence, from a fresh deployment. Times are seconds after ``world.START``."""

    name: str
    about: str
    subject: SubjectId = w.SUBJECT
    documents: dict[str, Document] = field(default_factory=dict)
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)

    def document(self, label: str, document: D, *via: str) -> D:
        """Name a document; ``via`` are the delegations above a delegation, its own parent first."""
        self.documents[label] = document
        if isinstance(document, Delegation):
            self.chains[label] = (label, *via)
        return document

    def id(self, label: str) -> ConsentId:
        return consent_id(self.documents[label])

    def chain(self, label: str) -> list[tuple[Any, ...]]:
        """Return a delegation and those above it, as the contract takes them."""
        return [delegation_header(self._delegation(each)) for each in self.chains[label]]

    def do(self, after: int, step: Step, says: str) -> None:
        self.steps.append(replace(step, at=w.START + after, says=says))

    def refused(self, after: int, step: Step, says: str, name: str, *values: Any) -> None:
        """The same of what must fail with this error."""
        answer = error(step.contract, name, *values)
        self.do(after, replace(step, succeeds=False, answer=answer), f"{says}: refused, {name}")

    def see(self, after: int, subject: SubjectTruth, **truths: Truth | None) -> None:
        """State what is true at this second, of every document named so far."""
        if set(truths) != set(self.documents):
            raise ValueError(f"{self.name}: a state names every document")
        at = w.START + after
        self.states.append(
            {
                "time": at,
                "after": sum(not step.is_view for step in self.steps),
                "subject": {
                    "controller": _controller(subject),
                    "epoch": subject.epoch,
                    "count": subject.count,
                    "opened": subject.opened,
                },
                "consents": {label: self._stored(label, truth) for label, truth in truths.items()},
            }
        )
        self._see_subject(at, subject)
        for label, truth in truths.items():
            self._see_one(at, label, truth)
        for kind in (Kind.PERMIT, Kind.DENY, Kind.GUARDIANSHIP, Kind.REFUSAL):
            labels = [label for label in truths if self.documents[label].kind == kind]
            if labels:
                ids = [self.id(label) for label in labels]
                self._view(at, "areLive", (ids, kind), [_is_live(truths[label]) for label in labels])

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "about": self.about,
            "subject": str(self.subject),
            "documents": {
                label: {
                    "type": type(document).__name__,
                    "id": to_hex(self.id(label)),
                    "document": to_json(document),
                    **({"chain": list(self.chains[label])} if label in self.chains else {}),
                }
                for label, document in self.documents.items()
            },
            "states": self.states,
            "steps": [step.to_json() for step in self.steps],
        }

    def _see_subject(self, at: int, subject: SubjectTruth) -> None:
        values = (_controller(subject), subject.epoch, subject.count, subject.opened)
        self._view(at, "subjectOf", (self.subject,), *values)

    def _see_one(self, at: int, label: str, truth: Truth | None) -> None:
        document, name = self.documents[label], self.id(label)
        self._view(at, "stateOf", (name,), self._state(label, truth))
        if not isinstance(document, Delegation) or document.kind == Kind.GUARDIANSHIP:
            other = Kind.DENY if document.kind == Kind.PERMIT else Kind.PERMIT
            self._view(at, "isLive", (name, int(document.kind)), _is_live(truth))
            self._view(at, "isLive", (name, int(other)), False)
        if isinstance(document, Delegation):
            links = self.chain(label)
            # All of its powers at once, and with them every power there is.
            self._view(at, "isDelegationLive", (links, document.powers), _is_live(truth))
            self._view(at, "isDelegationLive", (links, 15), _is_live(truth) and document.powers == 15)

    def _view(self, at: int, function: str, arguments: tuple[Any, ...], *values: Any) -> None:
        answer = returned(REGISTRY, function, *values)
        self.steps.append(Step(at, REGISTRY, function, arguments, is_view=True, answer=answer))

    def _state(self, label: str, truth: Truth | None) -> tuple[int, ...]:
        if truth is None:
            return (0,) * 7
        document = self.documents[label]
        tag = 0
        if truth.given_under is not None:  # 2**39 and the low 39 bits of that delegation's id
            tag = 2**39 + int.from_bytes(self.id(truth.given_under)) % 2**39
        times = (w.START + truth.begins if truth.begins else 0, self._end(truth), self._revoked(truth))
        return (document.subject, int(document.kind), document.epoch, *times, tag)

    def _stored(self, label: str, truth: Truth | None) -> dict[str, Any]:
        subject, kind, epoch, begins, ends, revoked, tag = self._state(label, truth)
        return {
            "subject": str(subject),
            "kind": kind,
            "epoch": epoch,
            "notBefore": begins,
            "notAfter": ends,
            "revokedAt": revoked,
            "delegationTag": tag,
            "live": _is_live(truth),
        }

    def _end(self, truth: Truth) -> int:
        return truth.ends if truth.ends == 2**40 - 1 else w.START + truth.ends

    def _revoked(self, truth: Truth) -> int:
        return w.START + truth.revoked if truth.revoked else 0

    def _delegation(self, label: str) -> Delegation:
        document = self.documents[label]
        if not isinstance(document, Delegation):
            raise TypeError(f"{label} is no delegation")
        return document


def _is_live(truth: Truth | None) -> bool:
    return truth is not None and truth.live


def _controller(subject: SubjectTruth) -> Address:
    return NOBODY if subject.controller is None else account(subject.controller)
