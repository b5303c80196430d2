"""Errors of the anonymization engine. Texts name columns and rules, never a value or a number of people."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput


class HierarchyInvalid(InvalidInput):
    code = "hierarchy_invalid"
    remedy = (
        "Every line of a hierarchy goes from one value to the same root, all lines have the same number of "
        "levels, and a label always stands for the same values."
    )


class ValueOutsideDomain(InvalidInput):
    """A value is missing, is not a number, or is not in the public domain declared for its column."""

    code = "value_outside_domain"
    remedy = "A value is not in the public domain declared for its column. Widen the declared domain."


class AnonymizationInvalid(InvalidInput):
    """The privacy model, the limit or the shape of the table cannot be."""

    code = "anonymization_invalid"
    remedy = (
        "k is at least 2, l above 1, t and the suppression limit lie in [0, 1], every quasi-identifier has a "
        "hierarchy, and all columns have one row each."
    )


class CohortTooSmall(Conflict):
    code = "cohort_too_small"
    remedy = "Too few patients to release a table. Widen the study, or wait until more patients consent."


class TableUseless(Conflict):
    code = "table_fully_generalised"
    remedy = (
        "Nothing but '*' would be left of the quasi-identifiers. Ask for fewer of them or for a smaller k."
    )


class ModelUnsatisfiable(Conflict):
    """Not even one class of all rows would satisfy the privacy model within the suppression limit."""

    code = "privacy_model_unsatisfiable"
    remedy = "Ask for a smaller l or a larger t, or raise the suppression limit."
