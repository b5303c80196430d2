"""Steps 3 to 6: the clinic asks, patients answer, the clinic reads exactly that, patients stop it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from backend.consent.tables import load_tables
from backend.demo.actors import Api, Wallet
from backend.demo.cast import Cast, Patient
from backend.demo.expected import Covered, released

WANTED = ["demographics", "contact", "identifiers", "laboratory", "medications", "conditions"]
SHORT_SECONDS = 3
TABLES = load_tables()
ALL_SENSITIVITIES = [code for code in TABLES.sensitivities.bits if code != "UNLABELLED"]
MENTAL_HEALTH = ["MH", "PSY", "BH"]


def ask_and_answer(cast: Cast) -> None:
    """The clinic asks everybody; most grant, some narrow, one refuses, one exempts mental health."""
    for number, patient in enumerate(cast.patients):
        ref = cast.clinic.find(patient.record_number)
        request = cast.clinic.ask(
            ref,
            purposes=["TREAT"],
            categories=WANTED,
            sensitivities=ALL_SENSITIVITIES,
            actions=["access"],
            not_after=_in(days=365),
            message="To treat you at our clinic.",
        )
        patient.request_id = request["request_id"]
        if patient.guardian is None:  # a child's parent answers in step 6
            _answer(patient, number % 5)
    refusing = cast.adults[1]
    cast.checks.that(
        "a refusal is kept",
        held=cast.clinic.api.get(f"/v1/consent-requests/{refusing.request_id}")["state"] == "refused",
    )
    stranger = Wallet(Api(cast.http))
    stranger.sign_in()
    request_id = cast.adults[0].request_id
    cast.checks.refused(
        "a stranger cannot see a request",
        lambda: stranger.api.get(f"/v1/consent-requests/{request_id}"),
        status=404,
    )
    cast.checks.refused(
        "a grant that another wallet signed is refused",
        lambda: _forged(cast.adults[0], stranger),
        status=422,
        code="wrong_signer",
    )


def read_what_is_covered(cast: Cast) -> None:
    """The clinic reads: byte for byte what was granted, and nothing else."""
    segments = withheld = 0
    for patient in cast.adults:
        covered = patient.covered
        if covered is None:
            cast.checks.refused(
                "a patient who refused is not read",
                lambda p=patient: cast.clinic.read(p.record_id),  # type: ignore[misc]
                status=403,
                code="consent_required",
            )
            continue
        expected = released(patient.segments, covered)
        seen = cast.clinic.read(patient.record_id)
        segments += len(seen)
        withheld += len(patient.segments) - len(seen)
        if seen != expected:
            cast.checks.that(
                "exactly the permitted segments, byte for byte",
                held=False,
                detail=f"{patient.record_number}: {len(seen)} seen, {len(expected)} expected",
            )
    cast.checks.that(
        "exactly the permitted segments, byte for byte",
        held=segments > 0 and withheld > 0,
        detail=f"{segments} released, {withheld} withheld",
    )


def be_refused(cast: Cast) -> None:
    """Every other attempt is refused; the patient sees those that were decided, the auditor the others."""
    patient = cast.adults[0]
    record = patient.record_id
    refused = cast.checks.refused
    refused("another clinic", lambda: cast.other_clinic.read(record), status=403, code="consent_required")
    refused(
        "another purpose", lambda: cast.clinic.read(record, "HRESCH"), status=403, code="consent_required"
    )
    refused("a purpose below the one granted", lambda: cast.clinic.read(record, "BTG"), status=403)
    refused("the hospital itself, without consent", lambda: cast.hospital.read(record), status=403)
    refused("no token", lambda: Api(cast.http).get(f"/v1/records/{record}", purpose="TREAT"), status=401)
    stranger = Wallet(Api(cast.http))
    stranger.sign_in()
    refused(
        "a stranger's wallet",
        lambda: stranger.api.get(f"/v1/records/{record}", purpose="PATRQT"),
        status=403,
    )
    refused(
        "a record that does not exist",
        lambda: cast.clinic.read("00" * 16),
        status=403,
        code="consent_required",
    )
    closed = next(
        (
            number
            for number, part in enumerate(patient.segments)
            if patient.covered is not None and not patient.covered.covers(part)
        ),
        None,
    )
    if closed is not None:
        refused(
            "a segment that is not covered",
            lambda: cast.clinic.api.call(
                "GET", f"/v1/records/{record}/segments/s{closed:04d}", params={"purpose": "TREAT"}
            ),
            status=403,
            code="consent_required",
        )
    _windows(cast)
    log = patient.wallet.api.get("/v1/accesses", subject=patient.wallet.subject, limit=200)
    denied = [entry for entry in log["entries"] if entry["outcome"] == "denied"]
    cast.checks.that(
        "the patient sees the refused attempts", held=len(denied) >= 5, detail=f"{len(denied)} denied"
    )
    cast.checks.that("the patient's list has no gap", held=log["gaps"] == 0)
    entries = cast.auditor.get("/v1/log/entries", limit=200)["entries"]
    turned_away = {entry["reasons"][0] for entry in entries if entry["type"] == "access.turned_away"}
    cast.checks.that(
        "the auditor sees those turned away: no token, a stranger",
        held={"not_authenticated", "scope_missing"} <= turned_away,
        detail=", ".join(sorted(turned_away)),
    )


def revoke(cast: Cast) -> None:
    """A patient revokes: the very next read is refused, whether or not the chain has it."""
    patient = cast.adults[0]
    cast.clinic.read(patient.record_id)
    stop = patient.wallet.revoke(patient.consent_id)
    cast.checks.refused(
        "the next read after the revocation", lambda: cast.clinic.read(patient.record_id), status=403
    )
    cast.checks.that(
        "the revocation was in force before its block", held=stop["block"] is None, detail=str(stop["block"])
    )
    again = patient.wallet.revoke(patient.consent_id)
    cast.checks.that("a repeated revocation is acknowledged", held=again["state"] == "in_force")


def speak_for_the_child(cast: Cast) -> None:
    """A parent grants for the child and reads; the parent's power ends; the parent is refused."""
    child, parent = cast.child, cast.child.wallet
    guardianship = next(
        consent
        for consent in parent.api.get("/v1/consents", subject=child.wallet.subject)
        if consent["kind"] == "guardianship"
    )
    via = [guardianship["message"]]
    draft = parent.api.post(f"/v1/consent-requests/{child.request_id}/draft", {"answer": "grant", "via": via})
    granted = parent.submit("/v1/consents", draft, via=via)
    cast.checks.that("the parent's grant is recorded", held=granted["state"] == "recorded")
    cast.checks.that("the clinic reads the child's record", held=bool(cast.clinic.read(child.record_id)))
    own = parent.api.get(f"/v1/records/{child.record_id}", purpose="FAMRQT")
    cast.checks.that("the parent reads the child's record", held=bool(own["segments"]))
    ended = cast.desk.post("/v1/revocations/guardianships", {"consent_id": guardianship["consent_id"]})
    cast.checks.that("the desk ends the guardianship", held=ended["state"] == "in_force")
    cast.checks.refused(
        "the parent after the guardianship ended",
        lambda: parent.api.get(f"/v1/records/{child.record_id}", purpose="FAMRQT"),
        status=403,
        code="consent_required",
    )


def _answer(patient: Patient, choice: int) -> None:
    wallet, request_id = patient.wallet, patient.request_id
    whole = Covered(TABLES.categories.mask(WANTED), TABLES.sensitivities.mask(ALL_SENSITIVITIES))
    match choice:
        case 1:
            wallet.answer(request_id, "refuse")
            return
        case 2:
            few = ["laboratory", "medications"]
            recorded = wallet.answer(request_id, "grant", categories=few, sensitivities=[])
            patient.covered = Covered(TABLES.categories.mask(few), 0)
        case 3:
            rule = {"effect": "deny", "sensitivities": MENTAL_HEALTH}
            recorded = wallet.answer(request_id, "grant", rules=[rule])
            exempt = TABLES.sensitivities.mask(MENTAL_HEALTH)
            patient.covered = Covered(whole.categories, whole.sensitivities, without=exempt)
        case 4:
            since = datetime(2010, 1, 1, tzinfo=UTC)
            recorded = wallet.answer(request_id, "grant", data_from=since.isoformat())
            patient.covered = Covered(whole.categories, whole.sensitivities, data_from=int(since.timestamp()))
        case _:
            recorded = wallet.answer(request_id, "grant")
            patient.covered = whole
    patient.consent_id = recorded["consent_id"]


def _windows(cast: Cast) -> None:
    """Before a consent begins and after it ended, nothing is read; in between it is."""
    patient = cast.adults[1]
    early = patient.wallet.consent(
        kind="permit",
        grantee=cast.other_clinic.member_id,
        purposes=["TREAT"],
        categories=["laboratory"],
        actions=["access"],
        not_before=_in(days=1),
        not_after=_in(days=2),
    )
    cast.checks.refused(
        "before a consent begins", lambda: cast.other_clinic.read(patient.record_id), status=403
    )
    patient.wallet.revoke(early["consent_id"])
    end = time.time() + SHORT_SECONDS
    patient.wallet.consent(
        kind="permit",
        grantee=cast.other_clinic.member_id,
        purposes=["TREAT"],
        categories=["laboratory"],
        actions=["access"],
        not_after=datetime.fromtimestamp(int(end) + 1, UTC).isoformat(),
    )
    cast.checks.that("within its time", held=bool(cast.other_clinic.read(patient.record_id)))
    time.sleep(max(0.0, int(end) + 1.2 - time.time()))
    cast.checks.refused(
        "after a consent ended", lambda: cast.other_clinic.read(patient.record_id), status=403
    )


def _forged(patient: Patient, stranger: Wallet) -> None:
    draft = patient.wallet.api.post(
        "/v1/consents/draft",
        {
            "subject": patient.wallet.subject,
            "kind": "permit",
            "grantee": "0x" + "11" * 32,
            "purposes": ["TREAT"],
            "categories": ["laboratory"],
            "actions": ["access"],
        },
    )
    stranger.submit("/v1/consents", draft)


def _in(*, days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()
