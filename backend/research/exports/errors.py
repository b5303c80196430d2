"""Why an export of records does not leave. No text tells a number or who is in it."""

from __future__ import annotations

from backend.errors import IntegrityError, NotFound


class ExportNotThere(NotFound):
    """The run has not ended with one, or a newer run's, an erasure or a changed consent took it away; where
    one was refused, the run's 'fhir_refusal' says why."""

    code = "fhir_export_not_there"
    remedy = (
        "Look at the run: it gives an export once it is done, of a study whose proposal has an output of "
        "kind 'fhir'. Only that of the newest run is kept: run the study again."
    )


class ExportPackageInvalid(IntegrityError):
    code = "fhir_export_invalid"
    remedy = "Fetch the export again. If it stays so, tell the custodian that released it."
