"""Type codes of audit events: one constant each, so that writers and readers of the log spell them alike."""

from __future__ import annotations

from typing import Final

# decisions and reading
DECISION: Final = "decision.explained"
RECORD_LISTED: Final = "record.listed"
RECORD_READ: Final = "record.read"
RECORD_STORED: Final = "record.stored"
RECORD_ERASED: Final = "record.erased"
RECORD_EXPORTED: Final = "record.exported"
KEY_SHARED: Final = "key.shared"  # a patient's segment key, with an organisation
KEY_HANDED_OVER: Final = "key.handed_over"  # a patient's segment key, to the custodian
ACCESS_TURNED_AWAY: Final = "access.turned_away"  # before any decision: no token, no scope
# consent
CONSENT_REQUESTED: Final = "consent.requested"
CONSENT_GRANTED: Final = "consent.granted"
CONSENT_REFUSED: Final = "consent.refused"
CONSENT_REVOKED: Final = "consent.revoked"
CONSENT_REVOKED_ALL: Final = "consent.revoked_all"
CONSENT_READ: Final = "consent.read"
PAPER_BROUGHT: Final = "paper.brought"
PAPER_WITNESSED: Final = "paper.witnessed"
PAPER_STOPPED: Final = "paper.stopped"
REVOCATION_ACKNOWLEDGED: Final = "consent.revocation_acknowledged"
REQUESTER_BLOCKED: Final = "requester.blocked"
REQUESTER_UNBLOCKED: Final = "requester.unblocked"
CONTACT_CHANGED: Final = "contact.changed"
DELEGATION_GRANTED: Final = "delegation.granted"
DELEGATION_REVOKED: Final = "delegation.revoked"
NOTICE_PUBLISHED: Final = "notice.published"
# recovery of a patient's account
RECOVERY_POLICY_SET: Final = "recovery.policy_set"  # who may recover it
RECOVERY_AGREED: Final = "recovery.agreed"  # a guardian has signed for a new account
RECOVERY_ACCEPTED: Final = "recovery.accepted"  # the new account has
RECOVERY_CONFIRMED: Final = "recovery.confirmed"  # by the desk, which saw the patient
RECOVERY_PROPOSED: Final = "recovery.proposed"
RECOVERY_STOPPED: Final = "recovery.stopped"
RECOVERY_COMPLETED: Final = "recovery.completed"
# erasure
ERASURE_REQUESTED: Final = "erasure.requested"
ERASURE_CANCELLED: Final = "erasure.cancelled"
ERASURE_HELD: Final = "erasure.held"
ERASURE_DONE: Final = "erasure.done"  # of the system: the patient's own entries are unreadable by then
HOLD_PLACED: Final = "hold.placed"
HOLD_LIFTED: Final = "hold.lifted"
# encryption keys of patients
ENCRYPTION_KEY_BOUND: Final = "encryption_key.bound"
ENCRYPTION_KEY_WITHDRAWN: Final = "encryption_key.withdrawn"
# identity
ENROLMENT_CODE_ISSUED: Final = "enrolment.code_issued"
ENROLMENT_CLAIMED: Final = "enrolment.claimed"
SIGNED_IN: Final = "session.signed_in"
SIGN_IN_FAILED: Final = "session.sign_in_failed"
SIGNED_OUT: Final = "session.signed_out"
REFRESH_REUSED: Final = "session.refresh_reused"
TOKEN_ISSUED: Final = "token.issued"  # noqa: S105 - bound to a patient's consents
TOKEN_INTROSPECTED: Final = "token.introspected"  # noqa: S105 - by a server outside that was shown it
ACCOUNT_CHANGED: Final = "account.changed"
PARTICIPANT_CHANGED: Final = "participant.changed"
CARE_TEAM_CHANGED: Final = "care_team.changed"
# research
STUDY_PROPOSED: Final = "study.proposed"
STUDY_APPROVED: Final = "study.approved"
STUDY_REVIEWED: Final = "study.reviewed"  # prepared, asked about, answered, recused from, conditions written
STUDY_SIGNED: Final = "study.signed"  # by one member of the board
STUDY_REFUSED: Final = "study.refused"
STUDY_SUSPENDED: Final = "study.suspended"
STUDY_RESUMED: Final = "study.resumed"
STUDY_REVOKED: Final = "study.revoked"
STUDY_CLOSED: Final = "study.closed"
STUDY_DOCUMENT_STORED: Final = "study.document_stored"
STUDY_DOCUMENT_READ: Final = "study.document_read"
STUDY_RUN: Final = "study.run"
STUDY_RESULT_WITHHELD: Final = "study.result_withheld"  # the chain has its hash, and nobody gets it
STUDY_RESULTS_REMOVED: Final = "study.results_removed"  # by retention
STUDY_DATASET_RELEASED: Final = "study.dataset_released"
STUDY_RECORDS_RELEASED: Final = "study.records_released"  # de-identified records of single patients
CATALOGUE_DRAWN: Final = "catalogue.drawn"  # the protected counts of a period
STUDY_USED_DATA: Final = "study.used_data"
# money of studies
RESULT_COMMITTED: Final = "study.result_committed"
ESCROW_FUNDED: Final = "escrow.funded"
ESCROW_RELEASED: Final = "escrow.released"
ESCROW_REFUNDED: Final = "escrow.refunded"
PAYOUT_PROPOSED: Final = "payout.proposed"
PAYOUT_OBJECTED: Final = "payout.objected"
PAYOUT_SETTLED: Final = "payout.settled"
PAYOUT_CLOSED: Final = "payout.closed"
PAYEE_NAMED: Final = "payee.named"
PAYMENT_CLAIMED: Final = "payment.claimed"
TEST_TOKENS_ISSUED: Final = "test_tokens.issued"
DONATION_NAMED: Final = "donation.named"
PRIVACY_CHARGED: Final = "privacy.charged"  # the new head of the privacy ledger
PRIVACY_JOINED: Final = "privacy.joined"  # the new head of who takes part from when on
ANSWERS_DRAWN: Final = "answers.drawn"  # noise was drawn under a charge, or the catalogue's counts were
RELEASE_ENTERED: Final = "release.entered"  # the new head of the release ledger
# emergency
EMERGENCY_OPENED: Final = "emergency.opened"
# the system
AUDIT_READ: Final = "audit.read"
AUDIT_KEY_ERASED: Final = "audit.key_erased"
SERVICE_STARTED: Final = "service.started"
SERVICE_STOPPED: Final = "service.stopped"
KEY_ROTATED: Final = "key.rotated"
BACKUP_CHECKED: Final = "backup.checked"  # made and read back whole; denied: it is not right
