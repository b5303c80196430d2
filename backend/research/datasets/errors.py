"""Why a dataset does not leave. No text tells a number or who is in it."""

from __future__ import annotations

from backend.errors import Conflict, NotFound


class DatasetNotThere(NotFound):
    """The run has not ended with a dataset; where one was refused, the run's 'table_refusal' says why."""

    code = "dataset_not_there"
    remedy = "Look at the run: it gives a dataset once it is done, of a study whose proposal asks for one."


class ResearcherKeyMissing(Conflict):
    """Datasets leave only sealed to a key of the researcher's organisation, and it has registered none."""

    code = "researcher_key_missing"
    remedy = "Register your organisation's key first: PUT /v1/members/{member}/encryption-key."


class DatasetOutdated(Conflict):
    """A consent was given, changed or ended since the run that made it."""

    code = "dataset_outdated"
    remedy = "Run the study again: a dataset is given out only while all consents it was made under stand."
