"""What can be wrong with an HSM, each under its own code, and which of a driver's errors means it."""

from __future__ import annotations

from typing import Final

import pkcs11

from backend.errors import AssentError, OperatorError
from backend.keystore import KeyStoreUnavailable


class HsmModuleMissing(OperatorError):
    """The PKCS#11 module is not there or does not load."""

    code = "hsm_module"
    remedy = "Set ASSENT_PKCS11_MODULE to the PKCS#11 library of your HSM, a file that this machine can load."


class HsmTokenMissing(OperatorError):
    code = "hsm_token"
    remedy = (
        "No token, or more than one, has the label in ASSENT_PKCS11_TOKEN_LABEL. Connect it, or correct it."
    )


class HsmPinRefused(OperatorError):
    """Not tried again by this process: tokens lock after a few wrong PINs."""

    code = "hsm_pin"
    remedy = (
        "Set ASSENT_PKCS11_PIN to the user PIN of the token, then start again. Few tries are left, often."
    )


class HsmTokenLocked(OperatorError):
    """The token accepts no PIN of its user: locked by wrong ones, expired, or never set."""

    code = "hsm_locked"
    remedy = "The security officer of the token sets the user PIN anew, with the tool of its maker."


class HsmUnfit(OperatorError):
    """The token does not do what is needed, or does not keep a key as it was told to."""

    code = "hsm_unfit"
    remedy = "Use a token that makes AES-256 keys which cannot be extracted, and does CKM_AES_GCM with them."


class HsmUnavailable(KeyStoreUnavailable):
    """The HSM did not answer, or not in time. What is already opened can still be read."""

    code = "hsm_unavailable"
    remedy = (
        "The HSM does not answer. Check it and the way to it; the service goes on by itself when it does."
    )


_MEANINGS: Final[tuple[tuple[tuple[type[pkcs11.PKCS11Error], ...], type[AssentError]], ...]] = (
    ((pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned), HsmTokenMissing),
    ((pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange), HsmPinRefused),
    ((pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized), HsmTokenLocked),
    (
        (
            pkcs11.MechanismInvalid,
            pkcs11.MechanismParamInvalid,
            pkcs11.TemplateInconsistent,
            pkcs11.AttributeValueInvalid,
            pkcs11.AttributeTypeInvalid,
            pkcs11.KeySizeRange,
            pkcs11.TokenWriteProtected,
        ),
        HsmUnfit,
    ),
)


def meaning(error: pkcs11.PKCS11Error) -> AssentError:
    """Return our error for a driver's: one that a new session does not cure, or else HsmUnavailable."""
    for kinds, ours in _MEANINGS:
        if isinstance(error, kinds):
            return ours()
    return HsmUnavailable(f"the HSM answered {type(error).__name__}")
