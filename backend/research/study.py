"""A study: what is proposed, when it is valid, and the states it goes through."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from backend.research import outputs
from backend.research.canonical import digest_of
from backend.research.duo import parse_use
from backend.research.errors import StudyInvalid, StudyStateConflict
from backend.research.output_rules import validate_output
from backend.research.outputs import Output, Protected, Records, Table, Threshold
from backend.research.purposes import RESEARCH_PURPOSE_BIT
from backend.research.study_terms import (
    Condition,
    Dataset,
    DiversityRule,
    Price,
    ProtocolDocument,
    condition_json,
    dataset_json,
    document_json,
    price_json,
    validate_dataset,
    validate_documents,
    validate_price,
)
from backend.research.types import StudyId
from backend.research.variables import Role, Variable, validate_variable
from backend.types import Bytes32, MemberId, UnixSeconds

MAX_VARIABLES = 40
MAX_OUTPUTS = 40
MAX_RUNS = 366
MAX_SECONDS = 10 * 366 * 86_400
MAX_EPSILON = 10_000_000  # millionths; above it the promise means nothing
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class State(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    CLOSED = "closed"

    @property
    def may_go_on(self) -> bool:
        """Whether a run may come after it, at once or after the board resumed the study."""
        return self in (State.APPROVED, State.SUSPENDED)


class Event(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"
    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"


_TRANSITIONS = {
    (State.PROPOSED, Event.APPROVE): State.APPROVED,
    (State.PROPOSED, Event.REFUSE): State.REFUSED,
    (State.PROPOSED, Event.CLOSE): State.CLOSED,  # withdrawn by the researcher
    (State.APPROVED, Event.SUSPEND): State.SUSPENDED,
    (State.APPROVED, Event.CLOSE): State.CLOSED,
    (State.SUSPENDED, Event.RESUME): State.APPROVED,
    (State.SUSPENDED, Event.CLOSE): State.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a researcher asks for and an ethics board signs, word for word.

    ``epsilon`` (millionths) is for the whole study and is shared equally by ``runs``. The period is
    half-open, unix seconds. ``minimum_cohort`` holds beside each patient's own. ``salt`` is 32 random bytes,
    so that the id on the chain tells nothing about the text.

    ``price`` is what the researcher offers, ``documents`` the papers the board reads, ``dataset`` the privacy
    model of the table, where there is one. ``amends`` names the study of which this is a new version: the
    version before may run until this one is permitted or its own permit ends.
    """

    researcher: MemberId
    title: str
    purpose: str
    duo: tuple[str, ...]
    variables: tuple[Variable, ...]
    outputs: tuple[Output, ...]
    not_before: UnixSeconds
    not_after: UnixSeconds
    epsilon: int
    runs: int
    minimum_cohort: int
    salt: bytes
    price: Price | None = None
    documents: tuple[ProtocolDocument, ...] = ()
    dataset: Dataset | None = None
    amends: StudyId | None = None

    def as_json(self) -> dict[str, Any]:
        """Canonical-JSON material of the whole proposal."""
        more = {
            "price": price_json(self.price),
            "documents": [document_json(document) for document in self.documents],
            "dataset": dataset_json(self.dataset),
            "amends": None if self.amends is None else self.amends.hex(),
        }
        # Without any of these it is written as before there were any: the ids of such proposals stand.
        extended = any(more.values())
        return {
            "schema": 2 if extended else 1,
            **(more if extended else {}),
            "researcher": self.researcher.hex(),
            "title": self.title,
            "purpose": self.purpose,
            "duo": list(self.duo),
            "variables": [variable_json(variable) for variable in self.variables],
            "outputs": [{"name": output.name, **outputs.as_json(output)} for output in self.outputs],
            "period": [self.not_before, self.not_after],
            "epsilon": self.epsilon,
            "runs": self.runs,
            "minimum_cohort": self.minimum_cohort,
            "salt": self.salt.hex(),
        }

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON: what the board signs, and the study's id."""
        return digest_of(self.as_json())

    @property
    def by_name(self) -> dict[str, Variable]:
        return {variable.name: variable for variable in self.variables}


@dataclass(frozen=True, slots=True)
class Study:
    """A proposal and its state. ``version`` rises with each change, for compare-and-swap in a store."""

    proposal: Proposal
    state: State
    reason: str = ""  # of the last refusal, suspension or closing
    version: int = 1
    conditions: tuple[Condition, ...] = ()  # as the board signed them

    @property
    def study_id(self) -> StudyId:
        return StudyId(self.proposal.digest)

    @property
    def rules(self) -> Bytes32:
        """32 bytes: what the permit on the chain is for."""
        return rules_of(self.proposal, self.conditions)

    def after(self, event: Event, *, reason: str = "") -> Study:
        """The study after an event; raises StudyStateConflict when its state does not allow it."""
        state = _TRANSITIONS.get((self.state, event))
        if state is None:
            raise StudyStateConflict(f"a study that is {self.state} cannot {event}")
        return replace(self, state=state, reason=reason, version=self.version + 1)


def rules_of(proposal: Proposal, conditions: tuple[Condition, ...]) -> Bytes32:
    """What a board signs: the digest of the proposal, with that of its conditions where there are any."""
    if not conditions:
        return Bytes32(proposal.digest)
    return Bytes32(
        digest_of(["assent-rules-1", proposal.digest.hex(), [condition_json(item) for item in conditions]])
    )


def propose(proposal: Proposal) -> Study:
    """Check a proposal and return the study in its first state; raises StudyInvalid naming the field."""
    _require(len(proposal.researcher) == 32, "a member id is 32 bytes", "researcher")
    _require(len(proposal.salt) == 32, "a salt is 32 bytes", "salt")
    _require(
        0 < len(proposal.title.strip()) <= 200 and proposal.title.isprintable(),
        "1 to 200 printable characters",
        "title",
    )
    _require(proposal.purpose in RESEARCH_PURPOSE_BIT, "HRESCH or one of its codes", "purpose")
    parse_use(proposal.duo)
    _require(
        0 < proposal.not_before < proposal.not_after <= proposal.not_before + MAX_SECONDS,
        "a period has a start before its end and is ten years at most",
        "not_after",
    )
    _require(0 < proposal.epsilon <= MAX_EPSILON, "epsilon is 0.000001 to 10, in millionths", "epsilon")
    _require(1 <= proposal.runs <= MAX_RUNS, f"1 to {MAX_RUNS} runs", "runs")
    _require(
        outputs.MINIMUM_K <= proposal.minimum_cohort < 2**32,
        f"at least {outputs.MINIMUM_K} patients",
        "minimum_cohort",
    )
    _require(0 < len(proposal.variables) <= MAX_VARIABLES, f"1 to {MAX_VARIABLES} variables", "variables")
    for place, variable in enumerate(proposal.variables):
        validate_variable(variable, field=f"variables.{place}")
    _require(len(proposal.by_name) == len(proposal.variables), "names of variables are distinct", "variables")
    _require(0 < len(proposal.outputs) <= MAX_OUTPUTS, f"1 to {MAX_OUTPUTS} outputs", "outputs")
    for place, output in enumerate(proposal.outputs):
        field = f"outputs.{place}"
        _require(_NAME.fullmatch(output.name) is not None, "a name is snake_case", f"{field}.name")
        validate_output(output, proposal.by_name, field=field)
    _require(
        len({output.name for output in proposal.outputs}) == len(proposal.outputs),
        "names of outputs are distinct",
        "outputs",
    )
    # Two tables over one cohort do not compose: together they can be narrower than k (Ganta et al. 2008).
    _require(
        sum(isinstance(output, Table) for output in proposal.outputs) <= 1, "one table a study", "outputs"
    )
    _validate_records(proposal)
    _validate_terms(proposal)
    return Study(proposal, State.PROPOSED)


def _validate_records(proposal: Proposal) -> None:
    count = sum(isinstance(output, Records) for output in proposal.outputs)
    _require(count <= 1, "one output of records a study", "outputs")
    if not count:
        return
    # The same pseudonyms would lead from a class of the table to a single patient.
    _require(table_of(proposal) is None, "a table, or records of single patients, but not both", "outputs")
    # Such records protect only together with what their recipient undertakes; the board reads it.
    _require(
        bool(proposal.documents),
        "records of single patients need their data use agreement among the papers",
        "documents",
    )


def _validate_terms(proposal: Proposal) -> None:
    if proposal.price is not None:
        validate_price(proposal.price)
    validate_documents(proposal.documents)
    if proposal.dataset is not None:
        validate_dataset(proposal.dataset)
        _require(table_of(proposal) is not None, "a privacy model is that of a table", "dataset")
        asked = proposal.dataset.diversity is not DiversityRule.NONE or bool(proposal.dataset.t)
        _require(
            not asked or _has_sensitive(proposal),
            "diversity and t-closeness protect a sensitive column, and the table has none",
            "dataset",
        )
    _require(proposal.amends is None or len(proposal.amends) == 32, "a study id is 32 bytes", "amends")


def questions(proposal: Proposal) -> tuple[Protected, ...]:
    """The outputs that cost privacy budget, in the order asked."""
    return tuple(output for output in proposal.outputs if not isinstance(output, Table | Threshold | Records))


def thresholds(proposal: Proposal) -> tuple[Threshold, ...]:
    """The exact figures of large groups, which the permit lists and epsilon does not cover."""
    return tuple(output for output in proposal.outputs if isinstance(output, Threshold))


def table_of(proposal: Proposal) -> Table | None:
    return next((output for output in proposal.outputs if isinstance(output, Table)), None)


def records_of(proposal: Proposal) -> Records | None:
    """The output that is records of single patients, where there is one."""
    return next((output for output in proposal.outputs if isinstance(output, Records)), None)


def _has_sensitive(proposal: Proposal) -> bool:
    table = table_of(proposal)
    names = table.variables if table is not None else ()
    return any(proposal.by_name[name].role is Role.SENSITIVE for name in names if name in proposal.by_name)


def quasi_identifiers(proposal: Proposal, table: Table) -> tuple[Variable, ...]:
    """The columns of a table that are generalised."""
    found = (proposal.by_name[name] for name in table.variables)
    return tuple(variable for variable in found if variable.role is Role.QUASI)


def variable_json(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "kind": variable.kind.value,
        "role": variable.role.value,
        "system": variable.system,
        "code": variable.code,
        "unit": variable.unit,
        "edges": list(variable.edges),
        "levels": list(variable.levels),
        "reference_date": variable.reference_date,
        "active_only": variable.active_only,
        # Left out where there is none, so that digests signed before there were views stay what they were.
        **({"source": variable.source.as_json()} if variable.source is not None else {}),
        **({"course": variable.course.as_json()} if variable.course is not None else {}),
    }


def _require(holds: bool, detail: str, field: str) -> None:
    if not holds:
        raise StudyInvalid(detail, field=field)
