"""Key slots: what opens a segment key, kept apart from ciphertext and manifests so that it can be erased.

One table a patient and kind of segment. It holds the key's epochs, and in each the slots that seal that
epoch's key: one for the custodian (AES-256-KW under a version of the patient's master) unless the patient
keeps the key end to end, and one for each other reader (HPKE X-Wing). Nothing here opens a slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.records import canonical
from backend.records.context import SUITE_1, SegmentKeyId, SuiteNumber
from backend.records.envelope_errors import NotCanonical
from backend.records.sealing import SEALED_BYTES, SlotTarget
from backend.records.wrapping import WRAPPED_BYTES
from backend.types import ConsentId, UnixSeconds

MAX_SLOTS: Final = 64  # of one epoch: a reader must not be made to try thousands
MAX_EPOCHS: Final = 4096
MAX_HANDOVER_BYTES: Final = 8192
_FORM: Final = 1
_TABLE: Final[dict[str, type]] = {"v": int, "kind": str, "epochs": list}
_EPOCH: Final[dict[str, type]] = {"suite": int, "custodian": list, "sealed": list, "handover": bytes}


END_TO_END: Final = "e2e:"  # begins the name of a kind whose key the patient made


def kind_of(categories: int, sensitivities: int, *, end_to_end: bool = False) -> str:
    """Return the kind of a segment. It names a key, not a content: short, and stable whatever tables say."""
    return f"{END_TO_END if end_to_end else ''}{categories:x}:{sensitivities:x}"


@dataclass(frozen=True, slots=True)
class CustodianSlot:
    """A segment key under the patient's master: the service opens it for whoever may read."""

    master: int  # version of the patient's master, from 1
    wrapped: bytes  # 40 bytes

    def __post_init__(self) -> None:
        if not 1 <= self.master < 2**32 or len(self.wrapped) != WRAPPED_BYTES:
            raise ValueError("a custodian's slot has a version from 1 and 40 bytes")


@dataclass(frozen=True, slots=True)
class SealedSlot:
    """A segment key sealed to one reader, under one consent."""

    recipient: bytes  # 32 bytes: RecipientKey.id
    consent: ConsentId  # 32 zero bytes for the patient's own slot
    expiry: UnixSeconds
    chain_id: int
    contract: bytes  # 20 bytes: the ConsentRegistry
    sealed: bytes  # 1168 bytes

    def __post_init__(self) -> None:
        if len(self.sealed) != SEALED_BYTES:
            raise ValueError(f"a sealed slot has {SEALED_BYTES} bytes")

    def target(self, key: SegmentKeyId) -> SlotTarget:
        """Return what the slot is bound to. Raises ValueError when a part is out of range."""
        return SlotTarget(key, self.recipient, self.consent, self.expiry, self.chain_id, self.contract)


@dataclass(frozen=True, slots=True)
class KeyEpoch:
    """The slots of one epoch's key."""

    custodian: CustodianSlot | None = None  # None: end to end, the service cannot open it
    sealed: tuple[SealedSlot, ...] = ()
    suite: SuiteNumber = SUITE_1
    handover: bytes = b""  # the signed command by which the service has a slot of a key kept end to end

    def __post_init__(self) -> None:
        if len(self.handover) > MAX_HANDOVER_BYTES:
            raise ValueError("a handover is too long")
        count = len(self.sealed) + (self.custodian is not None)
        if not 1 <= count <= MAX_SLOTS:
            raise ValueError(f"an epoch has 1 to {MAX_SLOTS} slots")
        if len({(slot.recipient, slot.consent) for slot in self.sealed}) != len(self.sealed):
            raise ValueError("a reader has one slot for a consent")


@dataclass(frozen=True, slots=True)
class SlotTable:
    """All epochs of the key of one patient and kind; an epoch's number is its place."""

    kind: str
    epochs: tuple[KeyEpoch, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.epochs) <= MAX_EPOCHS:
            raise ValueError("a table has 1 to 4096 epochs")

    def encode(self) -> bytes:
        epochs = [
            {
                "suite": epoch.suite,
                "custodian": [epoch.custodian.master, epoch.custodian.wrapped] if epoch.custodian else [],
                "sealed": [encode_sealed(slot) for slot in epoch.sealed],
                "handover": epoch.handover,
            }
            for epoch in self.epochs
        ]
        return canonical.encode({"v": _FORM, "kind": self.kind, "epochs": epochs})


def decode(encoded: bytes) -> SlotTable:
    """Read a table; raise NotCanonical for anything ``encode`` would not have written."""
    table = canonical.decode_map(encoded, _TABLE)
    if table["v"] != _FORM:
        raise NotCanonical("another form of slot table")
    try:
        return SlotTable(table["kind"], tuple(map(_decode_epoch, table["epochs"])))
    except (TypeError, ValueError) as failure:
        raise NotCanonical("a slot table is malformed") from failure


def _decode_epoch(value: Any) -> KeyEpoch:
    if type(value) is not dict or {name: type(part) for name, part in value.items()} != _EPOCH:
        raise NotCanonical("unknown, missing or mistyped fields in a slot table")
    match value["custodian"]:
        case []:
            custodian = None
        case [int(master), bytes(wrapped)]:
            custodian = CustodianSlot(master, wrapped)
        case _:
            raise NotCanonical("a custodian's slot is malformed")
    sealed = tuple(decode_sealed(slot) for slot in value["sealed"])
    return KeyEpoch(custodian, sealed, SuiteNumber(value["suite"]), value["handover"])


def encode_sealed(slot: SealedSlot) -> list[Any]:
    """Return the fields of a sealed slot, as tables and requests write them."""
    return [slot.recipient, slot.consent, slot.expiry, slot.chain_id, slot.contract, slot.sealed]


def decode_sealed(value: Any) -> SealedSlot:
    """Read one sealed slot from its list of fields; raise NotCanonical."""
    match value:
        case [
            bytes(recipient),
            bytes(consent),
            int(expiry),
            int(chain_id),
            bytes(contract),
            bytes(sealed),
        ] if len(recipient) == len(consent) == 32 and len(contract) == 20:
            try:
                return SealedSlot(
                    recipient, ConsentId(consent), UnixSeconds(expiry), chain_id, contract, sealed
                )
            except ValueError as failure:
                raise NotCanonical("a sealed slot is malformed") from failure
    raise NotCanonical("a sealed slot is malformed")
