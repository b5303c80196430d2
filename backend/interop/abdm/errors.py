"""Why a message of ABDM is not taken. ``field`` is the path of the member."""

from __future__ import annotations

from backend.errors import InvalidInput


class AbdmMalformed(InvalidInput):
    """A member is missing or has the wrong JSON type."""

    code = "abdm_malformed"
    remedy = "Send the message as ABDM's gateway API 0.5 defines it; docs/abdm.md has examples."


class AbdmUnknownCode(InvalidInput):
    """A purpose, hiType, access mode or unit is not in the published tables. None is read as another."""

    code = "abdm_unknown_code"
    remedy = "Use a code of the tables in docs/abdm.md."


class AbdmWindow(InvalidInput):
    """A window ends before it begins, or an end has passed."""

    code = "abdm_window"
    remedy = "Send a dateRange that ends after it begins, and a dataEraseAt in the future."


class AbdmUnsupported(InvalidInput):
    """A member narrows the request in a way that is not known here: without it, it would be wider."""

    code = "abdm_unsupported"
    remedy = (
        "Leave the member out if the patient is to be asked for more; docs/abdm.md says what can be asked."
    )


class AbdmStale(InvalidInput):
    """The message's timestamp is too far from the time here to be told from a replay."""

    code = "abdm_stale"
    remedy = "Send a new requestId with the present time; check the clock of the sender."
