"""Errors of the audit log. The families are in ``backend.errors``; ``docs/errors.md`` explains each code."""

from __future__ import annotations

from backend.errors import (
    Conflict,
    IntegrityError,
    InvalidInput,
    NotFound,
    OperatorError,
    TooLarge,
    Unavailable,
)


class InvalidEvent(InvalidInput):
    """A field of an event is not one of the coded values the log takes."""

    code = "audit_event_invalid"
    remedy = "Give coded values only: free text may hold personal data and never enters an event."


class EventTooLarge(TooLarge):
    code = "audit_event_too_large"
    remedy = "Name fewer records, segments or consents in one event; write several."


class UnknownEntry(NotFound):
    code = "audit_entry_unknown"
    remedy = "Check the index and the patient. An entry of someone else looks like one that does not exist."


class UnknownTile(NotFound):
    code = "audit_tile_unknown"
    remedy = "Ask only for tiles that the size of the newest checkpoint calls for (C2SP tlog-tiles)."


class CosignatureRefused(InvalidInput):
    """What a witness sent is no cosignature of a known key on a checkpoint of this log."""

    code = "audit_cosignature_refused"
    remedy = "Cosign the checkpoint that the log serves, with a key that its operator has listed."


class AuditUnavailable(Unavailable):
    """The entry could not be made durable, or it is not known whether it was. Release nothing."""

    code = "audit_unavailable"
    remedy = "The audit log cannot be written now, so nothing was released. Try again shortly."


class AuditClosed(AuditUnavailable):
    code = "audit_closed"
    remedy = "The service is shutting down. Send the request again when it is back."


class AuditFenced(AuditUnavailable):
    """Another sequencer took the lease, or wrote to the log. This one never writes again."""

    code = "audit_fenced"
    remedy = "Another process writes the audit log now. Send the request there; restart this process."


class StaleSeal(Conflict):
    """The entry was sealed for a chain state that has passed; seal it again. Never leaves the package."""

    code = "audit_seal_stale"
    remedy = "Seal the event again under the current audit key."


class LeaseHeld(OperatorError):
    code = "audit_lease_held"
    remedy = "Another process holds the audit log's lease. Stop it, or wait until its lease runs out."


class LogDamaged(IntegrityError):
    """The stored entries do not give the stored head."""

    code = "audit_log_damaged"
    remedy = "Run 'assent audit fsck': it names the damaged bundle. Restore it from a backup; do not go on."


class LogRolledBack(IntegrityError):
    """The store holds less than what was already signed or anchored on the chain."""

    code = "audit_log_rolled_back"
    remedy = "The index is older than the last anchored checkpoint. Restore a newer copy before starting."


class LogForked(IntegrityError):
    """The store holds another history than what was already signed or anchored on the chain."""

    code = "audit_log_forked"
    remedy = "The log differs from its anchored checkpoint. Keep both copies as evidence; tell the auditors."


class LogKeysDamaged(IntegrityError):
    """What the index says of the log's keys is not what they signed, or not of the key in the key store."""

    code = "audit_log_keys_damaged"
    remedy = "Restore collection audit_log_keys, or the key store, from a copy of the same moment."


class EntryDamaged(IntegrityError):
    """One stored entry does not open, or does not match its commitment."""

    code = "audit_entry_damaged"
    remedy = "Run 'assent audit fsck' and restore the named bundle from a backup."


class InvalidProof(IntegrityError):
    code = "audit_proof_invalid"
    remedy = "The proof does not hold for these hashes. Get it again; if it fails again, tell an auditor."


class InvalidNote(IntegrityError):
    code = "audit_note_invalid"
    remedy = "The checkpoint is malformed or no known key signed it. Check the log's public key."


class LogUnreachable(Unavailable):
    code = "witness_log_unreachable"
    remedy = "The log does not answer as C2SP tlog-tiles has it. Check its address; the witness tries again."


class LogBehind(IntegrityError):
    """The log shows fewer entries than it showed before, and not those that it showed."""

    code = "witness_log_behind"
    remedy = "The log may have been restored from an old copy. Nothing is cosigned until it is back; ask why."


class SplitViewFound(IntegrityError):
    """A log signed two histories. The detail says where the evidence lies."""

    code = "audit_split_view"
    remedy = (
        "Keep the evidence and show it to the other members. This witness cosigns nothing of the log now."
    )


class WitnessStateDamaged(OperatorError):
    code = "witness_state_damaged"
    remedy = (
        "The head that the witness remembers cannot be read, or is of another log. Restore the directory."
    )
