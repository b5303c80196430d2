"""What can be wrong with a document that is brought in. All are the sender's to correct (4xx).

No message holds a value, a name or an unknown key of the document: only positions and FHIR element names.
"""

from __future__ import annotations

from backend.errors import InvalidInput, TooLarge


class BundleTooLarge(TooLarge):
    code = "bundle_too_large"
    remedy = "Split the bundle; GET /docs tells the largest body."


class BundleTooDeep(InvalidInput):
    code = "bundle_too_deep"
    remedy = "Flatten the JSON: no FHIR resource needs that many levels."


class BundleTooManyEntries(TooLarge):
    code = "bundle_too_many_entries"
    remedy = "Split the bundle into several, each with the Patient."


class NotUtf8(InvalidInput):
    code = "not_utf8"
    remedy = "Send JSON as UTF-8 without a byte-order mark."


class MalformedJson(InvalidInput):
    code = "malformed_json"
    remedy = "Send one well-formed JSON object (RFC 8259)."


class DuplicateJsonKey(InvalidInput):
    code = "duplicate_json_key"
    remedy = "Send every member of a JSON object once; readers disagree on which of two counts."


class NumberOutOfRange(InvalidInput):
    code = "number_out_of_range"
    remedy = "Send finite JSON numbers of at most 64 characters and a three-digit exponent."


class NotABundle(InvalidInput):
    code = "not_a_bundle"
    remedy = "Send a FHIR R4 Bundle of type transaction, batch, collection, document or searchset."


class FhirInvalid(InvalidInput):
    code = "fhir_invalid"
    remedy = "Correct the named element; it does not conform to FHIR R4."


class UnknownResourceType(InvalidInput):
    code = "unknown_resource_type"
    remedy = "Use a resource type that FHIR R4 and R4B both define."


class EntryWithoutResource(InvalidInput):
    code = "entry_without_resource"
    remedy = "Give every entry a resource; a bundle that deletes or reads cannot be stored."


class DuplicateResource(InvalidInput):
    code = "duplicate_resource"
    remedy = "Give every resource its own fullUrl and id."


class BundleWithoutPatient(InvalidInput):
    code = "bundle_without_patient"
    remedy = "Put the Patient whose record this is into the bundle."


class BundleOfAnotherPatient(InvalidInput):
    """A resource, or the whole bundle, is about somebody else, or does not say about whom it is."""

    code = "bundle_of_another_patient"
    remedy = "Send one bundle per patient; every subject and patient reference must lead to its one Patient."


class AttachmentLabelsInvalid(InvalidInput):
    code = "attachment_labels_invalid"
    remedy = "State labels by their published codes, and both categories and sensitivities or neither."


class MediaTypeInvalid(InvalidInput):
    code = "media_type_invalid"
    remedy = "Give the media type as type/subtype (RFC 6838), for instance application/pdf."


class EmptyDocument(InvalidInput):
    code = "empty_document"
    remedy = "Send at least one byte."
