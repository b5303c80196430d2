"""How other engines read a Consent, as strategies that give the same tree in FHIR's own reading.

Each turns a tree so that its permissions are at most those of that engine. docs/fhir_consent.md lists where
the engines part from FHIR, and what is done about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.drafts import Drafting
from backend.interop.fhir_consent.errors import (
    FhirConsentContradiction,
    FhirConsentIncomplete,
    FhirConsentNotExpressible,
    FhirConsentUnsupported,
)
from backend.interop.fhir_consent.provision import Provision
from backend.interop.fhir_consent.resource import Envelope

_VALUE_SET: Final = {codes.PURPOSE_VALUE_SET: codes.ACT_REASON}
Reading = Callable[[Envelope, Provision, Drafting], Provision]


@dataclass(frozen=True, slots=True)
class Profile:
    """``reading`` gives every provision a type. ``several`` says that consents are weighed by date."""

    name: str
    reading: Reading
    aliases: Mapping[str, str] = field(default_factory=dict)
    several: bool = False


def _pcf(envelope: Envelope, base: Provision, _: Drafting) -> Provision:
    """FHIR and IHE PCF: every provision says what it is."""
    if base.permit is None:
        raise FhirConsentIncomplete("permit or deny; it is never guessed.", field=f"{base.path}.type")
    rule = _policy_rule(envelope.content)
    if rule is not None and rule != base.permit:
        raise FhirConsentContradiction("The opposite of the policy rule.", field=f"{base.path}.type")
    _all_typed(base)
    return base


def _optin_optout(envelope: Envelope, base: Provision, drafting: Drafting) -> Provision:
    """The base decision is the policy rule's; any prohibition denies, no exception permits."""
    if envelope.version != "r4":
        raise FhirConsentUnsupported("This profile is about R4.", field="Consent.decision")
    permit = _policy_rule(envelope.content)
    if permit is None:
        raise FhirConsentIncomplete("OPTIN or OPTOUT.", field="Consent.policyRule")
    if base.permit not in (None, permit):
        raise FhirConsentContradiction("The opposite of the policy rule.", field=f"{base.path}.type")
    _all_typed(base)
    if not permit:
        # That engine then denies everything, whatever the provisions say.
        drafting.note("Consent.policyRule", "OPTOUT: everything is denied, provisions do not count")
        return Provision(base.path, permit=False, period=base.period)
    return replace(
        base, permit=True, children=tuple(child for child in base.children if _counts(child, drafting))
    )


def _counts(child: Provision, drafting: Drafting) -> bool:
    if child.permit:
        drafting.note(child.path, "permits nothing more under OPTIN: left out")
    return not child.permit


def _flip_base(_: Envelope, base: Provision, drafting: Drafting) -> Provision:
    """A provision that matches turns the base decision round, whatever its own type is.

    It matches by purpose, class and recipient only. With labels or classes it is a redaction instead: under a
    permit of data so labelled, under a deny of nothing.
    """
    if base.permit is None:
        raise FhirConsentIncomplete("permit or deny.", field=f"{base.path}.type")
    children = []
    redacting = [child for child in base.children if child.labels is not None or child.categories is not None]
    if not base.permit and redacting and len(redacting) < len(base.children):
        # Once another provision has turned the deny round, these redact again.
        raise FhirConsentNotExpressible(
            "A redaction beside an exception to a prohibition.", field=redacting[0].path
        )
    for child in base.children:
        if base.permit:
            if child.permit:
                drafting.note(child.path, "this engine reads it as a prohibition, and so does this import")
            children.append(_without_what_it_skips(replace(child, permit=False), drafting))
        elif child in redacting:
            drafting.note(child.path, "redacts under a prohibition, so it changes nothing: left out")
        elif child.permit is False:
            raise FhirConsentContradiction(
                "This engine would read the prohibition as a permission.", field=f"{child.path}.type"
            )
        else:
            children.append(replace(child, permit=True))
    return _wide_deny(replace(base, children=tuple(children)), drafting)


def _without_what_it_skips(child: Provision, drafting: Drafting) -> Provision:
    """Return the prohibition without what narrows it further and this engine does not read."""
    if child.actions is not None or child.data is not None or child.references is not None or child.period:
        drafting.note(child.path, "forbids at any action, time and data: this engine reads none of these")
    return replace(child, actions=None, data=None, references=None, period=None)


def _most_recent(envelope: Envelope, base: Provision, drafting: Drafting) -> Provision:
    """As PCF within one consent; which of several counts, ``recency`` says."""
    return _wide_deny(_pcf(envelope, base, drafting), drafting)


def _wide_deny(base: Provision, drafting: Drafting) -> Provision:
    """Return a base deny of all that these engines deny: of a base they read purposes and period only."""
    if base.permit:
        return base
    wide = replace(base, actors=None, categories=None, labels=None, actions=None, data=None, references=None)
    if wide != base:
        drafting.note(base.path, "denies everybody all data: this engine reads purposes and period only")
    return wide


def _policy_rule(content: Json) -> bool | None:
    """Return whether the policy rule is OPTIN; None where it is neither OPTIN nor OPTOUT."""
    rule = content.get("policyRule")
    codings = rule.get("coding", []) if isinstance(rule, dict) else []
    found = {
        coding.get("code")
        for coding in codings
        if isinstance(coding, dict) and coding.get("system") == codes.ACT_CODE
    } & {"OPTIN", "OPTOUT"}
    if len(found) > 1:
        raise FhirConsentContradiction("OPTIN and OPTOUT at once.", field="Consent.policyRule")
    return found == {"OPTIN"} if found else None


def _all_typed(base: Provision) -> None:
    for child in base.children:
        if child.permit is None:
            raise FhirConsentIncomplete("permit or deny; it is never guessed.", field=f"{child.path}.type")
        _all_typed(child)


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile("pcf", _pcf),
        Profile("r4-optin-optout", _optin_optout, _VALUE_SET),
        Profile("most-recent-wins", _most_recent, _VALUE_SET, several=True),
        Profile("flip-base", _flip_base, _VALUE_SET),
    )
}
