"""Import of FHIR Consents, beside what validating the same resources with ``fhir.resources`` takes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from fhir.resources.R4B.consent import Consent

from backend.consent.drafting import Drafter, Wish
from backend.consent.notices import BuiltInNotices
from backend.consent.tables import load_tables
from backend.consent.terms import Kind, Rule
from backend.interop.fhir_consent.codes import BASIC_PURPOSES
from backend.interop.fhir_consent.export_r4 import export_r4
from backend.interop.fhir_consent.frame import Frame
from backend.interop.fhir_consent.importing import Importer
from backend.interop.fhir_consent.names import Names
from backend.types import MemberId, SubjectId, UnixSeconds
from bench.results import Result, at_least, shown

CONSENTS = 1_000
RULES = 5
GOAL_PER_SECOND = 1_000
_SUBJECT = SubjectId(42)
_NOW = UnixSeconds(1_800_000_000)


def measure() -> list[Result]:
    """In this process: consents of five rules each, exports of ours and the same without our extensions."""
    exports = [_export(number) for number in range(CONSENTS)]
    foreign = [_without_ours(resource) for resource in exports]
    importer = Importer(Names(_SUBJECT), load_tables())
    back = _per_second(importer.read, exports)
    drafts = _per_second(importer.read, foreign)
    validated = _per_second(Consent.model_validate, foreign)
    return [
        at_least("import of a FHIR Consent", drafts, "1/s", GOAL_PER_SECOND),
        at_least(
            "import of a FHIR Consent, an export of ours checked by its hash", back, "1/s", GOAL_PER_SECOND
        ),
        shown("validation of a FHIR Consent by fhir.resources", validated, "1/s"),
    ]


def _export(number: int) -> dict[str, Any]:
    tables = load_tables()

    def member(name: str) -> MemberId:
        return MemberId(hashlib.sha256(f"{name} {number}".encode()).digest())

    wish = Wish(
        Kind.PERMIT,
        member("grantee"),
        tables.purposes.mask(BASIC_PURPOSES),
        tables.categories.all_bits,
        tables.sensitivities.mask(["HIV"]),
        tables.actions.mask(["access"]),
        rules=tuple(Rule(permit=False, grantees=(member(f"rule {place}"),)) for place in range(RULES)),
    )
    drafter = Drafter(tables=tables, notices=BuiltInNotices())
    grant = drafter.grant(wish, subject=_SUBJECT, epoch=0, now=_NOW, language="en")
    return export_r4(grant, Frame(member("custodian"), _NOW), tables)


def _without_ours(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in ("extension", "modifierExtension")}


def _per_second(work: Callable[[dict[str, Any]], object], resources: list[dict[str, Any]]) -> float:
    for resource in resources[:100]:
        work(resource)
    started = time.perf_counter()
    for resource in resources:
        work(resource)
    return len(resources) / (time.perf_counter() - started)
