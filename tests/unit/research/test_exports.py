"""Records of single patients leave only of those who let them, in groups, whole, and for one reader."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.audit.entry import Agent, AgentKind, AuditEvent, Outcome
from backend.keystore import Secret
from backend.records.envelope_errors import WrapRefused
from backend.records.sealing import RecipientPrivateKey
from backend.records.streaming import StreamCut
from backend.research.cohort import snapshot
from backend.research.datasets.sealed import open_release
from backend.research.errors import RunResultTooLarge, StudyInvalid
from backend.research.exports import keeping, package
from backend.research.exports.errors import ExportNotThere, ExportPackageInvalid
from backend.research.exports.service import ExportService
from backend.research.handover import Handover
from backend.research.jobs.driver import KeptResult
from backend.research.jobs.types import Job, JobId, JobState
from backend.research.outputs import Count, Records, Table
from backend.research.pseudonyms import row_pseudonym
from backend.research.result import RunResult
from backend.research.study import Proposal, Study, propose
from backend.research.study_json import proposal_from_json
from backend.research.study_terms import ProtocolDocument
from backend.research.types import Candidate, Individual, RecordEntries
from backend.types import Bytes32, MemberId, RecordId, SubjectId, UnixSeconds
from tests.support.memory_exports import MemoryExportStore, MemoryRecipients, keeper
from tests.unit.research.conftest import NOW, Keys, World

People = Callable[..., Candidate]
RESEARCHER = RecipientPrivateKey(Secret(b"\x0a" * 32))
STRANGER = RecipientPrivateKey(Secret(b"\x0b" * 32))
WANTED = Records("records", ("demographics", "laboratory"))
PAPER = ProtocolDocument("Data use agreement", "text/plain", Bytes32(b"d" * 32))


def record(number: int) -> RecordEntries:
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "birthDate": "1980-05-17",
        "name": [{"family": "Muster"}],
    }
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "2093-3"}]},
        "valueQuantity": {"value": number},
    }
    return RecordEntries(RecordId(bytes(16)), [(None, patient), (None, observation)])


@pytest.fixture
def study(world: World, proposal_with: Callable[..., Proposal]) -> Study:
    return world.approved(proposal_with(outputs=(Count("all"), WANTED), documents=(PAPER,)))


@pytest.fixture
def letting(candidate_with: People) -> People:
    """A patient whose records may leave; ``terms`` are of the consent that lets them."""

    def make(number: int, records: RecordEntries | None = None, **terms: Any) -> Candidate:
        person = candidate_with(number)
        own = Individual(
            categories=frozenset(WANTED.categories),
            consents=person.consents,
            terms=replace(person.terms, **terms),
            records=lambda: [records or record(number)],
            ahead=lambda _: None,
        )
        return replace(person, individual=own)

    return make


def lines(result: RunResult, kind: str) -> list[dict[str, Any]]:
    assert result.export is not None, result.export_refusal
    (file,) = (file for file in result.export.files if file.resource_type == kind)
    content = b"".join(result.export.content(file))
    assert (len(content), hashlib.sha256(content).digest()) == (file.size_bytes, file.sha256)
    found = [json.loads(line) for line in content.splitlines()]
    assert len(found) == file.resources
    return found


def pseudonyms(study: Study, numbers: range) -> list[str]:
    key, lab = Keys().study_key(study.study_id), study.proposal.researcher
    return [row_pseudonym(key, study.study_id, lab, SubjectId(number)) for number in numbers]


def test_records_leave_under_pseudonyms_of_the_recipient_in_random_order(
    world: World, study: Study, letting: People
) -> None:
    result = world.runner.run(study, [letting(number) for number in range(1, 31)])
    ids = [patient["id"] for patient in lines(result, "Patient")]
    wanted = pseudonyms(study, range(1, 31))
    assert sorted(ids) == sorted(wanted)
    assert ids != wanted
    assert ids != sorted(ids)
    values = {
        item["subject"]["reference"]: item["valueQuantity"]["value"] for item in lines(result, "Observation")
    }
    assert values == {f"Patient/{name}": number for number, name in enumerate(wanted, start=1)}
    assert "Muster" not in str(result.as_json())
    fhir = result.as_json()["fhir"]
    assert fhir["patients"] == 30
    assert fhir["removed"]["names_numbers_and_contacts"] == 30
    assert world.uses.of_subject(SubjectId(7))


def test_run_again_over_the_same_consents_gives_the_same_bytes(
    world: World, study: Study, letting: People
) -> None:
    people = [letting(number) for number in range(1, 21)]
    first = world.runner.run(study, people)
    assert world.runner.run(study, people[::-1]).digest == first.digest
    altered = [letting(number) for number in range(1, 20)] + [letting(20, record(21))]
    assert world.runner.run(study, altered).digest != first.digest


def test_records_of_who_permits_figures_alone_stay(
    world: World, study: Study, letting: People, candidate_with: People
) -> None:
    people = [letting(number) for number in range(1, 21)] + [
        candidate_with(number) for number in range(21, 31)
    ]
    result = world.runner.run(study, people)
    assert sorted(each["id"] for each in lines(result, "Patient")) == sorted(pseudonyms(study, range(1, 21)))
    assert len(result.participants) == 30  # in the figures they are


@pytest.mark.parametrize(
    "terms",
    [
        {"duo": (("DUO:0000007:MONDO_1",),)},  # another disease
        {"duo": ()},
        {"duo": (("DUO:0000042",), ("DUO:0000018",))},  # not for profit, which the study does not state
        {"minimum_cohort": 100},
    ],
)
def test_terms_of_the_consent_that_lets_records_leave_must_fit(
    world: World, study: Study, letting: People, terms: dict[str, Any]
) -> None:
    people = [letting(number) for number in range(1, 21)] + [letting(21, **terms)]
    result = world.runner.run(study, people)
    assert sorted(each["id"] for each in lines(result, "Patient")) == sorted(pseudonyms(study, range(1, 21)))


def test_records_of_ten_patients_stay(world: World, study: Study, letting: People) -> None:
    result = world.runner.run(study, [letting(number) for number in range(1, 11)])
    assert (result.export, result.export_refusal) == (None, "cohort_too_small")
    assert result.as_json()["fhir"] is None


def test_who_is_left_out_while_records_are_read_does_not_count(
    world: World, study: Study, letting: People
) -> None:
    nobody = RecordEntries(
        RecordId(bytes(16)), record(1).entries[1:]
    )  # the Patient resource may not be opened
    people = [letting(number) for number in range(1, 11)] + [letting(11, nobody)]
    assert world.runner.run(study, people).export_refusal == "cohort_too_small"
    people = [letting(number) for number in range(1, 12)] + [letting(12, nobody)]
    assert len(lines(world.runner.run(study, people), "Patient")) == 11


def test_minimum_of_a_patient_counts_who_is_in_the_export(
    world: World, study: Study, letting: People
) -> None:
    nobody = RecordEntries(RecordId(bytes(16)), record(1).entries[1:])
    people = [letting(number) for number in range(1, 21)] + [
        letting(21, nobody),
        letting(22, minimum_cohort=22),
    ]
    result = world.runner.run(study, people)
    assert sorted(each["id"] for each in lines(result, "Patient")) == sorted(pseudonyms(study, range(1, 21)))


def test_result_of_other_studies_is_as_it_was(
    world: World, proposal_with: Callable[..., Proposal], letting: People
) -> None:
    result = world.runner.run(world.approved(proposal_with()), [letting(number) for number in range(1, 31)])
    assert result.export is None
    assert "fhir" not in result.as_json()


def test_snapshot_tells_what_may_leave(letting: People, candidate_with: People) -> None:
    person = letting(1)
    assert person.individual is not None
    less = replace(person, individual=replace(person.individual, categories=frozenset({"demographics"})))
    assert len({snapshot([each]) for each in (person, less, candidate_with(1))}) == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"documents": ()}, "documents"),
        ({"outputs": (WANTED, replace(WANTED, name="again"))}, "outputs"),
        ({"outputs": (WANTED, Table("people", ("sex",)))}, "outputs"),
        ({"outputs": (Records("records", ("laboratory",)),)}, "outputs.0.categories"),
        ({"outputs": (Records("records", ("demographics", "demographics")),)}, "outputs.0.categories"),
        ({"outputs": (Records("records", ("demographics", "everything")),)}, "outputs.0.categories"),
    ],
)
def test_proposal_for_records_names_what_it_needs(
    proposal_with: Callable[..., Proposal], changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(StudyInvalid) as refused:
        propose(proposal_with(**{"outputs": (WANTED,), "documents": (PAPER,), **changes}))
    assert refused.value.field == field


def test_proposal_for_records_is_read_back_and_its_id_is_of_the_categories(study: Study) -> None:
    proposal = study.proposal
    assert proposal_from_json(proposal.as_json()) == proposal
    wider = Records("records", (*WANTED.categories, "medications"))
    assert replace(proposal, outputs=(Count("all"), wider)).digest != proposal.digest


@pytest.fixture
def kept(world: World, study: Study, letting: People) -> tuple[MemoryExportStore, bytes]:
    """What lies in the store after a run, and the bytes of all of it."""
    store = MemoryExportStore()
    result = world.runner.run(study, [letting(number) for number in range(1, 21)])
    found = keeper(store, MemoryRecipients(RESEARCHER), now=NOW).keep(
        study, result, researcher=study.proposal.researcher
    )
    assert found is not None
    return store, b"".join(store.parts(found.export))


def test_export_is_sealed_before_it_is_kept(kept: tuple[MemoryExportStore, bytes], study: Study) -> None:
    store, sealed = kept
    with pytest.raises(WrapRefused):
        open_release((sealed,), STRANGER)
    opened = open_release((sealed,), RESEARCHER)
    found = package.read(b"".join(opened.document.data))
    assert found.counts == {"Observation": 20, "Patient": 20}
    assert found.about["study"] == "0x" + study.study_id.hex()
    assert found.about["release"] == "0x" + opened.header.release.hex()
    assert found.about["release"] in found.methods
    assert "20 Observation, 20 Patient" in found.methods
    assert "Safe Harbor" in found.methods
    assert len(list(found.lines("Observation"))) == 20
    assert list(found.lines("Claim")) == []
    (subjects,) = {subjects for _, _, subjects in store.kept.values()}
    assert subjects == {SubjectId(number) for number in range(1, 21)}


def test_export_that_is_too_large_is_not_kept(
    world: World, study: Study, letting: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryExportStore()
    result = world.runner.run(study, [letting(number) for number in range(1, 21)])
    monkeypatch.setattr(keeping, "MAX_PACKAGE_BYTES", 1000)
    with pytest.raises(RunResultTooLarge):
        keeper(store, MemoryRecipients(RESEARCHER), now=NOW).keep(
            study, result, researcher=MemberId(b"r" * 32)
        )
    assert not store.kept


def test_parts_together_are_the_sealed_export(
    world: World, study: Study, letting: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PART_BYTES", 1000)
    store = MemoryExportStore()
    making = keeper(store, MemoryRecipients(RESEARCHER), now=NOW)
    result = world.runner.run(study, [letting(number) for number in range(1, 21)])
    found = making.keep(study, result, researcher=study.proposal.researcher)
    assert found is not None
    assert found.parts == len(store.kept) > 3
    content = making.content(found)
    assert content is not None
    assert package.read(b"".join(open_release(content, RESEARCHER).document.data)).counts["Patient"] == 20
    del store.kept[found.export, 2]
    assert making.content(found) is None


def packed(**files: bytes) -> bytes:
    about = {
        "files": [
            {"type": name, "count": content.count(b"\n"), "bytes": len(content),
             "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        ]
    }  # fmt: skip
    return package.build(
        about, "methods", [(f"{name}.ndjson", (content,)) for name, content in files.items()]
    )


def rewritten(archive: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as before:
        members = {name: before.read(name) for name in before.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for name, content in members.items():
            after.writestr(name, content)
    return out.getvalue()


def test_package_is_read_as_it_was_built() -> None:
    found = package.read(packed(Patient=b"{}\n{}\n", Condition=b"{}\n"))
    assert (found.counts, found.methods) == ({"Patient": 2, "Condition": 1}, "methods")
    assert list(found.lines("Patient")) == [b"{}\n", b"{}\n"]
    assert packed(Patient=b"{}\n") == packed(Patient=b"{}\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.update({"Patient.ndjson": b"{1}\n"}),
        lambda members: members.update({"Patient.ndjson": b"{}\n" * 100_000}),
        lambda members: members.pop("Patient.ndjson"),
        lambda members: members.pop("methods.txt"),
        lambda members: members.update({"More.ndjson": b"{}\n"}),
        lambda members: members.update({"release.json": b"[]"}),
        lambda members: members.update({"release.json": b"{"}),
    ],
)
def test_package_that_is_another_is_refused(change: Callable[[dict[str, bytes]], None]) -> None:
    with pytest.raises(ExportPackageInvalid):
        package.read(rewritten(packed(Patient=b"{}\n"), change))


def test_damaged_package_is_refused_and_nothing_else_is_raised() -> None:
    content = b'{"resourceType":"Patient"}\n' * 50
    whole = packed(Patient=content)
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        # Some of a ZIP's bytes say nothing.
        with contextlib.suppress(ExportPackageInvalid):
            found = package.read(damaged)
            assert b"".join(found.lines("Patient")) == content
    with pytest.raises(ExportPackageInvalid):
        package.read(whole[:-10])


@dataclass
class Giving:
    """A service over what a run kept, whose consents, permit and erasures a test can change."""

    world: World
    study: Study
    people: list[Candidate]
    store: MemoryExportStore = field(default_factory=MemoryExportStore)
    entries: list[AuditEvent] = field(default_factory=list)
    erased: set[SubjectId] = field(default_factory=set)
    kept_result: Any = None
    at_log: Callable[[], None] = lambda: None  # something that happens between the entry and the bytes

    def give(self) -> bytes:
        keeping_ = keeper(self.store, MemoryRecipients(RESEARCHER), now=NOW)
        result = self.world.runner.run(self.study, self.people)
        lab = self.study.proposal.researcher
        export = keeping_.keep(self.study, result, researcher=lab)
        self.kept_result = KeptResult(
            result.as_json(), result.snapshot, (), participants=0, apart=False, export=export
        )
        handover = Handover(
            runs=self,  # type: ignore[arg-type]
            candidates=self,
            permits=self.world.permits,
            guard=lambda _: lambda: None,
            audit=self,  # type: ignore[arg-type]
            clock=lambda: NOW,
        )
        service = ExportService(handover=handover, keeper=keeping_, erases=lambda who, _: who in self.erased)
        job = Job(JobId(bytes(16)), self.study.study_id, lab, AGENT, JobState.DONE, NOW_S, NOW_S)
        return b"".join(service.give(self.study, job, agent=AGENT, researcher=lab).content)

    def kept(self, _: Job) -> KeptResult:
        return self.kept_result

    def of(self, study: Study, *, agent: Agent, researcher: MemberId) -> Iterator[Candidate]:
        return iter(self.people)

    def append(self, event: AuditEvent, *, guard: Any = None) -> None:
        self.entries.append(event)
        self.at_log()


AGENT = Agent(AgentKind.CLIENT, "workbench")
NOW_S = UnixSeconds(NOW)


@pytest.fixture
def giving(world: World, study: Study, letting: People) -> Giving:
    return Giving(world, study, [letting(number) for number in range(1, 21)])


def test_export_is_given_out_after_the_entry(giving: Giving) -> None:
    opened = open_release((giving.give(),), RESEARCHER)
    assert package.read(b"".join(opened.document.data)).counts["Patient"] == 20
    (entry,) = giving.entries
    assert (entry.type, entry.detail["release"]) == ("study.records_released", opened.header.release)


@pytest.mark.parametrize("what", ["consent", "permit", "erasure"])
def test_what_ends_after_the_entry_cuts_the_export(giving: Giving, letting: People, what: str) -> None:
    def ends() -> None:
        giving.at_log = lambda: None
        if what == "consent":
            giving.people = giving.people[1:]
        elif what == "permit":
            giving.world.suspend_on_chain(giving.study)
        else:
            giving.erased.add(SubjectId(7))

    giving.at_log = ends
    with pytest.raises(StreamCut):
        giving.give()
    first, second = giving.entries
    assert first.outcome is Outcome.CHANGED
    assert second.outcome is Outcome.DENIED
    assert second.detail["released_bytes"] == 0


def test_record_under_erasure_keeps_the_export_back_and_in_the_store(giving: Giving) -> None:
    giving.erased.add(SubjectId(7))
    with pytest.raises(ExportNotThere):
        giving.give()
    assert giving.store.kept
    assert not giving.entries
