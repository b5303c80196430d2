"""From FHIR Consents to wishes that the patient may sign. Importing grants nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final

from backend.consent.drafting import Wish
from backend.consent.tables import Tables
from backend.consent.terms import BreakGlass, Grant, Kind
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.drafts import Drafting, Note
from backend.interop.fhir_consent.errors import (
    FhirConsentIncomplete,
    FhirConsentMalformed,
    FhirConsentUnknownCode,
    FhirConsentUnsupported,
)
from backend.interop.fhir_consent.names import Names
from backend.interop.fhir_consent.ours import read_back
from backend.interop.fhir_consent.periods import Window, from_period
from backend.interop.fhir_consent.profiles import PROFILES, Profile
from backend.interop.fhir_consent.provision import Provision, ProvisionReader
from backend.interop.fhir_consent.recency import Dated, weigh
from backend.interop.fhir_consent.resource import Envelope, open_resource
from backend.types import MemberId

MAX_CONSENTS: Final = 100
_EXCEPTIONS: Final = 1  # levels of provisions below a base (IHE PCF)


@dataclass(frozen=True, slots=True)
class Imported:
    """``wishes`` together say what the source says. ``grant`` is set for an unchanged export of ours.

    ``kept`` are extensions of others, which nothing here reads; ``notes`` what the patient should look at.
    """

    wishes: tuple[Wish, ...]
    grant: Grant | None = None
    kept: tuple[Json, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Importer:
    """``zone`` is the time zone of dates without time; without it they are refused."""

    names: Names
    tables: Tables
    profile: str = "pcf"
    zone: tzinfo | None = None

    def read(self, resource: object) -> Imported:
        """Return what one Consent says, or a Bundle under ``most-recent-wins``. Raises InvalidInput."""
        profile = _profile(self.profile)
        if not isinstance(resource, dict) or resource.get("resourceType") != "Bundle":
            return self._one(resource, profile)[1]
        if not profile.several:
            raise FhirConsentUnsupported("Import its consents one by one.", field="resourceType")
        return self._several(_entries(resource), profile)

    def _several(self, resources: Sequence[object], profile: Profile) -> Imported:
        read = [(self._one(resource, profile)) for resource in resources]
        dated = [Dated(*_date(envelope, self.zone), imported) for envelope, imported in read]
        counting, notes = weigh(dated)
        return Imported(
            wishes=tuple(wish for each in counting for wish in each.imported.wishes),
            kept=tuple(item for _, imported in read for item in imported.kept),
            notes=(*(note for _, imported in read for note in imported.notes), *notes),
        )

    def _one(self, resource: object, profile: Profile) -> tuple[Envelope, Imported]:
        envelope = open_resource(resource, self.names)
        reader = ProvisionReader(envelope.version, self.tables, self.names, self.zone, dict(profile.aliases))
        base = _base(envelope, reader)
        if envelope.record is not None:
            grant = read_back(envelope, base, self.names, self.tables)
            in_force = envelope.content["status"] in ("active", "draft", "proposed")
            own = (wish_of(grant),) if in_force else ()
            return envelope, Imported(own, grant, envelope.foreign_extensions)
        drafting = Drafting(self.tables)
        wishes = drafting.wishes(profile.reading(envelope, base, drafting))
        return envelope, Imported(wishes, None, envelope.foreign_extensions, tuple(drafting.notes))


def wish_of(grant: Grant) -> Wish:
    """Return the wish that a grant came of; language, notice, salt, epoch and request are of each signing."""
    terms = grant.terms
    return Wish(
        kind=Kind(grant.kind),
        grantee=terms.grantee,
        purposes=terms.purposes,
        categories=terms.categories,
        sensitivities=terms.sensitivities,
        actions=terms.actions,
        data_from=terms.data_from,
        data_to=terms.data_to,
        not_before=grant.not_before,
        not_after=grant.not_after,
        erase_by=terms.erase_by,
        max_uses=terms.max_uses,
        uses_per_period=terms.uses_per_period,
        period_seconds=terms.period_seconds,
        break_glass=BreakGlass(terms.break_glass),
        break_glass_categories=terms.break_glass_categories,
        redelegation_depth=terms.redelegation_depth,
        rules=terms.rules,
        research=terms.research,
        supersedes=grant.supersedes,
    )


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise FhirConsentUnknownCode(f"One of {', '.join(PROFILES)}.", field="profile")
    return PROFILES[name]


def _base(envelope: Envelope, reader: ProvisionReader) -> Provision:
    """Return the base provision: the root of R4, the decision of R5 with its exceptions turned round."""
    content = envelope.content
    if envelope.version == "r4":
        if "provision" not in content:
            raise FhirConsentIncomplete(field="Consent.provision")
        return reader.read(content["provision"], "Consent.provision", _EXCEPTIONS)
    decision = content.get("decision")
    if decision is None:
        raise FhirConsentIncomplete("permit or deny; it is never guessed.", field="Consent.decision")
    if decision not in ("permit", "deny"):
        raise FhirConsentUnknownCode("permit or deny.", field="Consent.decision")
    permit = decision == "permit"
    children: tuple[Provision, ...] = ()
    if "provision" in content:
        # Under a deny the first level are permissions, which have exceptions in their turn.
        depth = _EXCEPTIONS if permit else _EXCEPTIONS + 1
        children = reader.children(content["provision"], "Consent.provision", depth)
    return Provision(
        path="Consent",
        permit=permit,
        actors=_grantees(content, reader) if permit else None,
        period=from_period(content["period"], "Consent.period", reader.zone) if "period" in content else None,
        children=tuple(_typed(child, permit=not permit) for child in children),
    )


def _typed(provision: Provision, *, permit: bool) -> Provision:
    return replace(
        provision,
        permit=permit,
        children=tuple(_typed(child, permit=not permit) for child in provision.children),
    )


def _grantees(content: Json, reader: ProvisionReader) -> tuple[MemberId, ...] | None:
    if "grantee" not in content:
        return None
    held = content["grantee"]
    if not isinstance(held, list):
        raise FhirConsentMalformed("A list.", field="Consent.grantee")
    return tuple(reader.names.member(each, f"Consent.grantee[{place}]") for place, each in enumerate(held))


def _entries(bundle: Json) -> list[object]:
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_CONSENTS:
        raise FhirConsentMalformed(f"1 to {MAX_CONSENTS} entries.", field="Bundle.entry")
    return [entry.get("resource") if isinstance(entry, dict) else None for entry in entries]


def _date(envelope: Envelope, zone: tzinfo | None) -> Window:
    """Return when the consent was given: a second, or the whole day where no time is said."""
    name = "dateTime" if envelope.version == "r4" else "date"
    if name not in envelope.content:
        raise FhirConsentIncomplete("Consents are weighed by their date.", field=f"Consent.{name}")
    moment = envelope.content[name]
    return from_period({"start": moment, "end": moment}, f"Consent.{name}", zone)
