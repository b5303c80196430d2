"""Pseudonyms that mean something within one study only."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from backend.research.releases.types import Mark
from backend.research.types import Pseudonym, StudyId
from backend.types import MemberId, SubjectId


def pseudonym(study_key: bytes, study: StudyId, subject: SubjectId) -> Pseudonym:
    """HMAC-SHA-256 of the subject under the study's key, first 16 bytes in hex (32 digits)."""
    return Pseudonym(_tag(study_key, b"assent-study-pseudonym-1", study, subject)[:16].hex())


def row_pseudonym(study_key: bytes, study: StudyId, recipient: MemberId, subject: SubjectId) -> Pseudonym:
    """What stands for a patient in a dataset: keyed per study and recipient, so that it also tells from whose
    copy a row was taken."""
    return Pseudonym(_tag(study_key, b"assent-row-pseudonym-1" + recipient, study, subject)[:16].hex())


def row_order(study_key: bytes, study: StudyId, subject: SubjectId, table: bytes) -> bytes:
    """A sort key that puts rows in an order unrelated to patients and to other tables, the same each time."""
    return _tag(study_key, b"assent-row-order-1" + table, study, subject)


def release_mark(study_key: bytes, study: StudyId, subject: SubjectId) -> Mark:
    """What stands for the subject in the release ledger (16 bytes): another one in each study, and not the
    pseudonym that the study's recipient knows."""
    return Mark(_tag(study_key, b"assent-release-mark-1", study, subject)[:16])


def resource_name(
    study_key: bytes, study: StudyId, recipient: MemberId, subject: SubjectId, name: str
) -> str:
    """An id (32 hex digits) for a resource of a patient's record, the same in each export of the study to the
    recipient."""
    mac = HMAC(study_key, SHA256())
    purpose = b"assent-resource-name-1" + recipient
    mac.update(
        len(purpose).to_bytes(4, "big") + purpose + study + subject.to_bytes(12, "big") + name.encode()
    )
    return mac.finalize()[:16].hex()


def date_shift(study_key: bytes, study: StudyId, subject: SubjectId) -> int:
    """By how many days (1 to 365) the dates of a patient go back in a study's exports."""
    tag = _tag(study_key, b"assent-date-shift-1", study, subject)
    return 1 + int.from_bytes(tag) % 365


def _tag(study_key: bytes, purpose: bytes, study: StudyId, subject: SubjectId) -> bytes:
    mac = HMAC(study_key, SHA256())
    mac.update(len(purpose).to_bytes(4, "big") + purpose + study + subject.to_bytes(12, "big"))
    return mac.finalize()
