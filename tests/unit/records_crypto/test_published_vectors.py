"""Published vectors through our own functions, not only through the library's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from backend.keystore import Secret
from backend.records import sealing, wrapping
from backend.records.envelope import decrypt, encrypt
from backend.records.envelope_errors import WrapRefused
from backend.records.sealing import RecipientPrivateKey

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


class _WithAad:
    """The vectors use associated data and other suites than ours; only the library's inside takes it."""

    def __init__(self, suite: Suite, aad: bytes) -> None:
        self._suite, self._aad = suite, aad

    def decrypt(self, sealed: bytes, key: Any, info: bytes) -> bytes:
        return bytes(openssl.hpke._decrypt_with_aad(self._suite, sealed, key, info, self._aad))


def xwing() -> list[Any]:
    vectors = json.loads((VECTORS / "HPKE" / "hpke-pq-test-vectors.json").read_bytes())
    ours = [vector for vector in vectors if vector["kem_id"] == 0x647A]
    return [pytest.param(vector, id=f"kdf{vector['kdf_id']}-aead{vector['aead_id']}") for vector in ours]


@pytest.mark.parametrize("vector", xwing())
def test_open_of_hpke_xwing_vectors(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    private = RecipientPrivateKey(Secret(bytes.fromhex(vector["skRm"])))
    assert private.public.encoded == bytes.fromhex(vector["pkRm"])
    kdf = {1: KDF.HKDF_SHA256, 2: KDF.HKDF_SHA384, 3: KDF.HKDF_SHA512, 16: KDF.SHAKE128, 17: KDF.SHAKE256}
    aead = {1: AEAD.AES_128_GCM, 2: AEAD.AES_256_GCM, 3: AEAD.CHACHA20_POLY1305}
    suite = Suite(KEM.MLKEM768_X25519, kdf[vector["kdf_id"]], aead[vector["aead_id"]])
    first = vector["encryptions"][0]
    monkeypatch.setattr(sealing, "_HPKE", _WithAad(suite, bytes.fromhex(first["aad"])))
    sealed = bytes.fromhex(vector["enc"] + first["ct"])
    assert private.open(sealed, bytes.fromhex(vector["info"])) == bytes.fromhex(first["pt"])
    with pytest.raises(WrapRefused):
        private.open(sealed, b"another info")
