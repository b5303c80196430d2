"""What can be wrong with a consent on paper."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound, NotPermitted


class PaperUnknown(NotFound):
    code = "paper_unknown"
    remedy = "Take the id from GET /v1/paper-consents."


class ScanDiffers(InvalidInput):
    """The scan that arrived is not the one whose hash was given."""

    code = "scan_differs"
    remedy = "Send the scan again, with the SHA-256 of exactly these bytes."


class ScanUnacceptable(InvalidInput):
    """Not a document of an accepted form, or too large."""

    code = "scan_unacceptable"
    remedy = "Send a PDF, PNG or JPEG of at most 1 MiB, with its media type."


class WitnessUnfit(InvalidInput):
    """Somebody who cannot witness now: no such role here, account closed, or no wallet linked."""

    code = "witness_unfit"
    remedy = "Name two different people with the role 'witness', each with a wallet of their own linked."


class NotTheWitness(NotPermitted):
    """Somebody else signs, or the signature is of another account than the one drafted for."""

    code = "not_the_witness"
    remedy = "The two witnesses whom the draft names sign, each with the wallet it names."


class PatientHasWallet(Conflict):
    """Somebody controls the patient's records with a wallet, and paper stands in for that alone."""

    code = "patient_has_wallet"
    remedy = "The patient, or the guardian with the wallet, signs the consent."


class PaperLapsed(Conflict):
    """The second signature did not come within seven days, or the contracts were succeeded meanwhile."""

    code = "paper_lapsed"
    remedy = "Bring the paper again."


class PaperStopped(Conflict):
    """The consent was stopped; what is stopped is not signed any more."""

    code = "paper_stopped"
    remedy = "Have the patient sign a new paper, if that is wanted."


class PaperChanged(Conflict):
    """Two people changed one paper at once; the later one lost."""

    code = "paper_changed"
    remedy = "Send it again."
