"""How Brownie words our custom errors."""

from __future__ import annotations

from typing import Any

import brownie


def refuses(error: str, *arguments: Any) -> Any:
    """Expect a revert with this custom error; addresses as hex of any case, bytes32 as bytes."""
    worded = [str(each) if isinstance(each, bytes) else str(each).lower() for each in arguments]
    return brownie.reverts(f"{error}: {', '.join(worded)}")
