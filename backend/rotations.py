"""Rotations that need the index to themselves: made on stopped stores, ended by the next start if need be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from backend.adapters.index.remarking import Remarking
from backend.adapters.index.resealing import Resealing
from backend.adapters.index.rotation import Renewal, RotationAtRest
from backend.adapters.index.staff_reblinding import StaffReblinding
from backend.adapters.index.token_rotation import TokenRotation
from backend.keystore import KeyName
from backend.records.mediation import KEY_CLASS, RECIPIENT_KEY
from backend.stores import Stores


class CustodianKeyRotation(RotationAtRest):
    """Nothing lies under this key: what is sealed to it is opened when it arrives."""

    key_class = KEY_CLASS

    def names(self) -> Iterable[KeyName]:
        return (RECIPIENT_KEY,)

    def collections(self) -> Iterable[str]:
        return ()

    def renewal(self) -> Renewal:
        return lambda _collection, _document: {}


_ROTATIONS: Final = (Resealing, Remarking, StaffReblinding, CustodianKeyRotation, TokenRotation)
_KINDS: Final[Mapping[str, type[RotationAtRest]]] = {kind.key_class: kind for kind in _ROTATIONS}
AT_REST: Final = tuple(_KINDS)
"""The classes of keys that are rotated so."""


def rotation_at_rest(stores: Stores, key_class: str) -> RotationAtRest:
    return _KINDS[key_class](stores.database, stores.keys)


def end_rotations(stores: Stores) -> None:
    """Take up what a crash left of any: before anything else is opened that uses the index."""
    for key_class in AT_REST:
        rotation_at_rest(stores, key_class).finish()
