"""Why a FHIR Consent is not imported. ``field`` is the path of the element, such as
``Consent.provision.provision[2].dataPeriod``."""

from __future__ import annotations

from backend.errors import InvalidInput


class FhirConsentMalformed(InvalidInput):
    """Not a Consent resource, or an element has the wrong JSON type or is empty."""

    code = "fhir_consent_malformed"
    remedy = "Send one FHIR R4 or R5 Consent resource in JSON; FHIR has no empty lists, objects or strings."


class FhirConsentUnsupported(InvalidInput):
    """An element, or a modifier extension, changes the meaning in a way that is not known here."""

    code = "fhir_consent_unsupported"
    remedy = "Leave the named element out, or say the same with elements listed in docs/fhir_consent.md."


class FhirConsentTooDeep(InvalidInput):
    """Provisions are nested deeper than the profile allows."""

    code = "fhir_consent_too_deep"
    remedy = "Flatten the provisions: an exception has no exceptions."


class FhirConsentTooManyRules(InvalidInput):
    """There are more exceptions than a consent can have."""

    code = "fhir_consent_too_many_rules"
    remedy = "Use at most 16 provisions inside the base provision, or split the consent."


class FhirConsentUnknownCode(InvalidInput):
    """A code, or its code system, is not in the published tables. It is never read as a broader one."""

    code = "fhir_consent_unknown_code"
    remedy = "Use a code of GET /v1/tables in the code system that docs/fhir_consent.md gives."


class FhirConsentUnresolved(InvalidInput):
    """A reference leads to nobody, or nothing, that is known here."""

    code = "fhir_consent_unresolved"
    remedy = "Name the member or record in the file given with --names, or refer to it by its own identifier."


class FhirConsentOtherSubject(InvalidInput):
    """The consent is about another patient than the one it is imported for."""

    code = "fhir_consent_other_subject"
    remedy = "Import it for the patient it names."


class FhirConsentIncomplete(InvalidInput):
    """Something is left out that a consent here has to say; it is never guessed."""

    code = "fhir_consent_incomplete"
    remedy = "Add the named element."


class FhirConsentContradiction(InvalidInput):
    """Two parts of the resource, or two consents, say opposite things of the same data."""

    code = "fhir_consent_contradiction"
    remedy = "Correct the resource: nothing tells which of the two was meant."


class FhirConsentWindow(InvalidInput):
    """A period ends before it begins, or a time cannot be kept exactly in whole seconds from 1970 on."""

    code = "fhir_consent_window"
    remedy = "Give times to the second, from 1970-01-01T00:00:01Z on, with the start before the end."


class FhirConsentZoneMissing(InvalidInput):
    """A date without a time zone: it is another day elsewhere."""

    code = "fhir_consent_zone_missing"
    remedy = "Write the time with its zone, or say with --zone in which zone the dates are meant."


class FhirConsentNotExpressible(InvalidInput):
    """It is understood, but no consent here says exactly that, and nothing near it is put in its place."""

    code = "fhir_consent_not_expressible"
    remedy = "Ask the patient directly for what docs/fhir_consent.md suggests in its place."


class FhirConsentProfile(InvalidInput):
    """The resource claims a profile of IHE PCF and breaks it."""

    code = "fhir_consent_profile"
    remedy = "Remove the named element, or claim the profile that allows it."


class FhirConsentNotActive(InvalidInput):
    """The consent is not in force where it comes from; signing it again would revive it."""

    code = "fhir_consent_not_active"
    remedy = "Import active, proposed or draft consents."


class FhirConsentAltered(InvalidInput):
    """It says that it is an export of a consent of ours, and its hash is not that of its content."""

    code = "fhir_consent_altered"
    remedy = "Take the export unchanged, or remove our extensions to import the rest as a new wish."
