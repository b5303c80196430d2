"""Errors of de-identified exports."""

from __future__ import annotations

from backend.errors import IntegrityError


class ExportInvalid(IntegrityError):
    """What was to be exported is not the record of one patient."""

    code = "export_not_one_patient"
    remedy = "An export holds records of one patient, each with exactly one Patient. Nothing was released."
