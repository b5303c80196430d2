"""Published vectors through our own functions, not only through the library's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from backend.keystore import Secret
from backend.records import wrapping
from backend.records.envelope import decrypt, encrypt
from backend.records.envelope_errors import EnvelopeRefused, WrapRefused

cryptography_vectors = pytest.importorskip(
    "cryptography_vectors", reason="published vectors: pip install -r requirements/dev.txt"
)
VECTORS = Path(cryptography_vectors.__file__).parent


CHUNK, TAG = 16 * 1024, 16


def chunked() -> list[Any]:
    vectors = json.loads((VECTORS / "chunked-encryption" / "vectors.json").read_bytes())["vectors"]
    ours = [vector for vector in vectors if vector["aead"] == "AEAD_AES_256_GCM"]
    return [pytest.param(vector, id=vector["name"]) for vector in ours]


class Reference:
    """The C2SP chunked-encryption format once more, for either hash, to bridge from the published vectors.

    Those are of the instantiation with SHA-256; Cobblestone-256 is the one with SHA-512 and otherwise equal.
    """

    def __init__(self, algorithm: HashAlgorithm, key: bytes, salt: bytes, context: bytes) -> None:
        info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
        derived = HKDFExpand(algorithm, 32 + 12 + 32, info).derive(key)
        self._aead, self._nonce = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
        self.header = salt + derived[44:]
        self._right_length = len(key) == 32

    def open(self, ciphertext: bytes) -> bytes:
        if not self._right_length or ciphertext[:56] != self.header:
            raise InvalidTag
        chunks = [ciphertext[at : at + CHUNK + TAG] for at in range(56, len(ciphertext), CHUNK + TAG)]
        # The last chunk is the one that is not full.
        if not chunks or len(chunks[-1]) == CHUNK + TAG:
            raise InvalidTag
        opened = (self._aead.decrypt(self._at(n), chunk, None) for n, chunk in enumerate(chunks))
        return b"".join(opened)

    def seal(self, plaintext: bytes) -> bytes:
        chunks = [plaintext[at : at + CHUNK] for at in range(0, len(plaintext) + 1, CHUNK)]
        sealed = (self._aead.encrypt(self._at(n), chunk, None) for n, chunk in enumerate(chunks))
        return self.header + b"".join(sealed)

    def carried(self, ciphertext: bytes, other: Reference) -> bytes:
        """The ciphertext with all its faults, as ``other`` would have it.

        A chunk that is authentic at some place is sealed for that place again and stays where it is; what is
        authentic nowhere stays as it is; what is wrong in the header is wrong by the same bits.
        """
        wrong = bytes(a ^ b for a, b in zip(ciphertext[:56], self.header, strict=False))
        header = bytes(a ^ b for a, b in zip(other.header, wrong, strict=False))
        chunks = [ciphertext[at : at + CHUNK + TAG] for at in range(56, len(ciphertext), CHUNK + TAG)]
        return header + b"".join(self._carried(chunk, len(chunks), other) for chunk in chunks)

    def _carried(self, chunk: bytes, places: int, other: Reference) -> bytes:
        for place in range(places):
            with suppress(InvalidTag, ValueError):
                return other._aead.encrypt(
                    other._at(place), self._aead.decrypt(self._at(place), chunk, None), None
                )
        return chunk

    def _at(self, number: int) -> bytes:
        return (self._nonce ^ number).to_bytes(12, "big")


@pytest.mark.parametrize("vector", chunked())
def test_decrypt_of_c2sp_chunked_encryption_vectors_carried_over_to_sha512(vector: dict[str, Any]) -> None:
    ciphertext = base64.b64decode(vector["ciphertext"] or "")
    if vector.get("compressed"):
        ciphertext = zlib.decompress(ciphertext)
    key, salt, context = bytes.fromhex(vector["key"]), ciphertext[:24], vector["context"].encode()
    published = Reference(SHA256(), key, salt, context)
    if vector["expect"] != "success":
        with pytest.raises(InvalidTag):
            published.open(ciphertext)
        assert_refused(vector, ciphertext)
        return
    payload = published.open(ciphertext)
    assert hashlib.sha256(payload).hexdigest() == vector["payload_sha256"]
    assert published.seal(payload) == ciphertext
    # What is now known to be the published format, with the hash of Cobblestone-256, is what we read ...
    carried = Reference(SHA512(), key, salt, context).seal(payload)
    pieces = [carried[at : at + 977] for at in range(0, len(carried), 977)]
    assert b"".join(decrypt(pieces, key=Secret(key), context=context)) == payload
    # ... and what we write.
    ours = b"".join(encrypt([payload], key=Secret(key), context=context))
    assert Reference(SHA512(), key, ours[:24], context).open(ours) == payload


def assert_refused(vector: dict[str, Any], ciphertext: bytes) -> None:
    """The same fault under Cobblestone-256 is refused by us, and nothing comes out that is not authentic."""
    key, salt, context = bytes.fromhex(vector["key"]), ciphertext[:24], vector["context"].encode()
    if len(key) != 32:
        with pytest.raises(ValueError, match="32 bytes"):
            Secret(key)
        return
    carried = Reference(SHA256(), key, salt, context).carried(
        ciphertext, Reference(SHA512(), key, salt, context)
    )
    for size in (977, len(carried) or 1):
        pieces = [carried[at : at + size] for at in range(0, len(carried), size)]
        came_out: list[bytes] = []
        with pytest.raises(EnvelopeRefused):
            came_out.extend(decrypt(pieces, key=Secret(key), context=context))
        # The vectors say how much of the payload is authentic before the fault; no more may come out.
        released = b"".join(came_out)
        assert len(released) <= vector.get("payload_length", 0)
        if len(released) == vector.get("payload_length"):
            assert hashlib.sha256(released).hexdigest() == vector["payload_sha256"]


def key_wraps(name: str) -> list[tuple[bytes, bytes | None, bytes]]:
    text = (VECTORS / "keywrap" / "kwtestvectors" / name).read_text()
    found = []
    for block in re.split(r"\nCOUNT = \d+\n", text)[1:]:
        fields = dict(re.findall(r"^([KPC]) = ([0-9a-f]+)$", block, re.MULTILINE))
        plain = bytes.fromhex(fields["P"]) if "P" in fields else None
        if len(fields["C"]) == 80:  # wraps of 32 bytes, the only ones we make
            found.append((bytes.fromhex(fields["K"]), plain, bytes.fromhex(fields["C"])))
    return found


@pytest.mark.parametrize("name", ["KW_AE_256.txt", "KW_AD_256.txt"])
def test_wrap_and_unwrap_of_nist_key_wrap_vectors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The vectors give the wrapping key itself, which we otherwise derive.
    monkeypatch.setattr(wrapping, "derive_key", lambda key, info: key)
    vectors = key_wraps(name)
    assert vectors
    refused = 0
    for key, plain, wrapped in vectors:
        if plain is None:
            refused += 1
            with pytest.raises(WrapRefused):
                wrapping.unwrap(wrapped, under=Secret(key), info=b"")
            continue
        assert wrapping.wrap(Secret(plain), under=Secret(key), info=b"") == wrapped
        assert wrapping.unwrap(wrapped, under=Secret(key), info=b"") == Secret(plain)
    assert (refused > 0) == (name == "KW_AD_256.txt")
