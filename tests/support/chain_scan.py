"""Looks for what must not be on a chain: in calldata, events and the storage written, byte by byte."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from eth_utils.crypto import keccak

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.dump import RawTransaction

# Six letters or more that fill the space between zeros, as a padded string does and a hash or an address by
# chance once in 10^7. Or a run so long that chance gives it once in 10^10 bytes.
_PADDED = re.compile(rb"(?:^|(?<=\x00))[\x20-\x7e]{6,}(?=\x00|$)")
_LONG = re.compile(rb"[\x20-\x7e]{24,}")
_LETTERS = 5  # shorter codes are looked for as whole words only
_HASH_PART = 12  # of a hash, from either end, so that one cut to an address or a tag is found


class Scan:
    """``masks``: name to value. ``allowed``: texts that may be there."""

    def __init__(
        self, *, texts: Collection[str], masks: Mapping[str, int], allowed: Collection[str] = ()
    ) -> None:
        self._allowed = {text.encode() for text in allowed}
        self._plain: dict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
        self._hashes: dict[bytes, str] = {}
        self._words: dict[bytes, str] = {}
        for text in texts:
            for form in {text.encode(), text.lower().encode(), text.upper().encode()}:
                self._know(form, f"the text {text!r}")
        for name, mask in masks.items():
            for order in ("big", "little"):
                # One of four bytes with a zero before or behind it, so that it is no part of a hash.
                size = max(5, (mask.bit_length() + 7) // 8)
                self._words[mask.to_bytes(size, order)] = f"the mask of {name}"
            for size in (8, 32):
                self._know_hashes(mask.to_bytes(size), f"the mask of {name}")
        self._searched: dict[bytes, tuple[str, ...]] = {}

    def findings(self, transactions: Iterable[RawTransaction]) -> list[str]:
        """Return what was found, a line each, with the transaction and the part of it."""
        return [
            f"block {transaction.block_number}, {place}: {found}"
            for transaction in transactions
            for place, part in parts(transaction)
            for found in self._search(part)
        ]

    def _know(self, form: bytes, name: str) -> None:
        if len(form) >= _LETTERS:
            self._plain[form[:_LETTERS]].append((form, name))
        if len(form) <= 32:
            self._words[form.ljust(32, b"\0")] = name
            self._words[form.rjust(32, b"\0")] = name
        self._know_hashes(form, name)

    def _know_hashes(self, form: bytes, name: str) -> None:
        for hashed in (keccak(form), hashlib.sha256(form).digest()):
            self._hashes[hashed[:_HASH_PART]] = f"the bare hash of {name}"
            self._hashes[hashed[-_HASH_PART:]] = f"the bare hash of {name}"

    def _search(self, part: bytes) -> tuple[str, ...]:
        """Return what is in it. The same few words come again and again."""
        if part not in self._searched:
            self._searched[part] = tuple(sorted(self._in(part)))
        return self._searched[part]

    def _in(self, part: bytes) -> set[str]:
        found = {name for word, name in self._words.items() if word in part}
        for at in range(len(part)):
            forms = self._plain.get(part[at : at + _LETTERS], ())
            found |= {name for form, name in forms if part.startswith(form, at)}
            hashed = self._hashes.get(part[at : at + _HASH_PART])
            if hashed:
                found.add(hashed)
        for pattern in (_PADDED, _LONG):
            found |= {f"the letters {run!r}" for run in pattern.findall(part) if run not in self._allowed}
        return found


def parts(transaction: RawTransaction) -> Iterator[tuple[str, bytes]]:
    """Yield every piece of a transaction that anyone can read, the code of our own contracts left out."""
    yield "calldata", _calldata(transaction)
    for number, log in enumerate(transaction.logs):
        for topic in log.topics[1:]:
            yield f"topic of event {number}", topic
        yield f"event {number}", log.data
    for write in transaction.storage:
        yield "storage slot", write.slot
        yield "storage", write.value


def _calldata(transaction: RawTransaction) -> bytes:
    if transaction.to is not None:
        return transaction.calldata[4:]
    for contract in CREATED:
        if transaction.calldata.startswith(artifact(contract).creation):
            return transaction.calldata[len(artifact(contract).creation) :]
    return transaction.calldata


CREATED = (
    "ParticipantRegistry",
    "ConsentRegistry",
    "RecordRegistry",
    "AuditAnchor",
    "EmergencyAccess",
    "ResearchMarket",
    "TestToken",
    "WitnessPairs",
    "KeyRegistry",
)
