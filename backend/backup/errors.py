"""Errors of making and reading backups."""

from __future__ import annotations

from backend.errors import Conflict, IntegrityError, OperatorError, Unavailable


class RecoveryKeyUnreadable(OperatorError):
    code = "recovery_key_unreadable"
    remedy = (
        "Name a file that 'assent backup keygen' wrote: the private half to restore, the other to back up."
    )


class RecoveryKeyExpired(OperatorError):
    """The key has lived for as long as a recovery key may; what it protects is to end with it."""

    code = "recovery_key_expired"
    remedy = (
        "Make a new key with 'assent backup keygen', put its service half in place, then destroy the old one."
    )


class RecoveryKeyDiffers(OperatorError):
    code = "recovery_key_differs"
    remedy = "This backup was made for another recovery key; 'assent backup list' names it."


class BackupMissing(OperatorError):
    code = "backup_missing"
    remedy = "There is no whole backup of that name; 'assent backup list --from DIR' shows those there are."


class RestoreNotEmpty(OperatorError):
    """A restore replaces nothing: what is there may be the better copy."""

    code = "restore_not_empty"
    remedy = "Restore into an empty data directory and index; with --keep-chain 'chain' may be there."


class RestoreDiffers(OperatorError):
    code = "restore_differs"
    remedy = "The backup is another custodian's. Set ASSENT_TENANT to the name it was made under."


class BackupOfAnotherRelease(OperatorError):
    code = "backup_of_another_release"
    remedy = (
        "Restore it with the release that made it; then install this one and call 'assent migrate'. Nothing "
        "was written."
    )


class BackupNotNewest(OperatorError):
    """What was revoked and erased after an older backup would count as if it had not been."""

    code = "backup_not_newest"
    remedy = "Restore the newest one. Only where that is damaged, add --discard-newer; see docs/backup.md."


class BackupInUse(OperatorError):
    code = "backup_in_use"
    remedy = "Another process writes to this backup directory. Use another one, or wait."


class BackupDamaged(IntegrityError):
    """A file of a backup is missing, cut or not what was written; nothing of it is used."""

    code = "backup_damaged"
    remedy = "Restore another generation ('assent backup list'), or fetch another copy of this one."


class BackupIncomplete(IntegrityError):
    """The block store gave no whole copy of a record that it should keep."""

    code = "backup_incomplete"
    remedy = "Some records could not be copied: 'assent fsck' names them, with the service stopped."


class KeysStayInside(OperatorError):
    code = "keys_stay_inside"
    remedy = "This key store gives no secret away. Back it up with its own means, together with the rest."


class BackupUnwritable(Unavailable):
    """Nothing is anchored meanwhile: a restore could not reach it."""

    code = "backup_unwritable"
    remedy = "Make room in the backup directory, or mount it again. The next try is a minute away."


class BackupInterrupted(Unavailable):
    """The service stops while a whole backup is made or read; nothing of it counts."""

    code = "backup_interrupted"
    remedy = "Nothing is to be done: the next start makes one."


class BackupKeyNeeded(OperatorError):
    """In production only a key that is kept elsewhere opens backups."""

    code = "backup_key_needed"
    remedy = (
        "Make a recovery key with 'assent backup keygen' and set ASSENT_BACKUP_RECOVERY_KEY to its service "
        "half (docs/backup.md). To run without a backup, set ASSENT_BACKUP_INTERVAL_HOURS=0."
    )


class BackupFolderUnusable(OperatorError):
    code = "backup_folder_unusable"
    remedy = (
        "Set ASSENT_BACKUP_DIRECTORY to a directory that the service may write to, best on another disk. To "
        "run without a backup, set ASSENT_BACKUP_INTERVAL_HOURS=0."
    )


class BackupFailed(OperatorError):
    code = "backup_failed"
    remedy = "Act on the code that is named (docs/errors.md), then call 'assent backup' again."


class BackupNotConfigured(Conflict):
    code = "backup_not_configured"
    remedy = "Set ASSENT_BACKUP_INTERVAL_HOURS to 24 and start the service again: docs/backup.md."
