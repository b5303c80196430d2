"""Published vectors of HPKE, X-Wing and ML-KEM-768 through our own sealing of keys to their readers."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from backend.keystore import Secret
from backend.records import sealing
from backend.records.envelope_errors import WrapRefused
from backend.records.sealing import SEALED_BYTES, RecipientPrivateKey

cryptography_vectors = pytest.importorskip(
    "cryptography_vectors", reason="published vectors: pip install -r requirements/dev.txt"
)
VECTORS = Path(cryptography_vectors.__file__).parent
X25519, ML_KEM_768, X_WING = 0x0020, 0x0041, 0x647A
KEMS = {X25519: KEM.X25519, ML_KEM_768: KEM.MLKEM768, X_WING: KEM.MLKEM768_X25519}
KDFS = {1: KDF.HKDF_SHA256, 2: KDF.HKDF_SHA384, 3: KDF.HKDF_SHA512, 16: KDF.SHAKE128, 17: KDF.SHAKE256}
AEADS = {1: AEAD.AES_128_GCM, 2: AEAD.AES_256_GCM, 3: AEAD.CHACHA20_POLY1305}


def published(name: str, kem: int) -> list[Any]:
    """The vectors of a KEM in base mode with a cipher, which is the mode that we use."""
    vectors = json.loads((VECTORS / "HPKE" / name).read_bytes())
    ours = [
        vector
        for vector in vectors
        if vector["kem_id"] == kem
        and vector["mode"] == 0
        and vector["aead_id"] in AEADS
        and vector["kdf_id"] in KDFS
    ]
    assert ours
    return [pytest.param(vector, id=f"kdf{vector['kdf_id']}-aead{vector['aead_id']}") for vector in ours]


class WithAad:
    """The vectors use associated data and other suites than ours; only the library's inside takes it."""

    def __init__(self, suite: Suite, aad: bytes) -> None:
        self._suite, self._aad = suite, aad

    def decrypt(self, sealed: bytes, key: Any, info: bytes) -> bytes:
        return bytes(openssl.hpke._decrypt_with_aad(self._suite, sealed, key, info, self._aad))


def assert_opens(private: RecipientPrivateKey, vector: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    """Our function opens the first message of the vector under its info, and no other."""
    suite = Suite(KEMS[vector["kem_id"]], KDFS[vector["kdf_id"]], AEADS[vector["aead_id"]])
    first = vector["encryptions"][0]
    patch.setattr(sealing, "_HPKE", WithAad(suite, bytes.fromhex(first["aad"])))
    sealed, info = bytes.fromhex(vector["enc"] + first["ct"]), bytes.fromhex(vector["info"])
    assert private.open(sealed, info) == bytes.fromhex(first["pt"])
    for refused, under in ((sealed, b"another info"), (flipped(sealed), info), (sealed[:-1], info)):
        with pytest.raises(WrapRefused):
            private.open(refused, under)


def holding(key: Any) -> RecipientPrivateKey:
    """Our recipient with a private key of another KEM in the place of its X-Wing key."""
    private = RecipientPrivateKey(Secret(bytes(32)))
    private._key = key
    return private


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("vector", published("hpke-pq-test-vectors.json", X_WING))
def test_open_of_hpke_xwing_vectors(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    private = RecipientPrivateKey(Secret(bytes.fromhex(vector["skRm"])))
    assert private.public.encoded == bytes.fromhex(vector["pkRm"])
    assert_opens(private, vector, monkeypatch)


@pytest.mark.parametrize("vector", published("test-vectors.json", X25519))
def test_open_of_rfc_9180_vectors(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["skRm"]))
    assert_opens(holding(key), vector, monkeypatch)


@pytest.mark.parametrize("vector", published("hpke-pq-test-vectors.json", ML_KEM_768))
def test_open_of_hpke_ml_kem_768_vectors(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    key = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(vector["skRm"]))
    assert_opens(holding(key), vector, monkeypatch)


@pytest.mark.parametrize("vector", published("hpke-pq-test-vectors.json", X_WING))
def test_open_in_our_suite_of_what_is_sealed_under_the_published_shared_secret(
    vector: dict[str, Any],
) -> None:
    """No vector has our KDF and cipher, but the X-Wing secret is there: the rest is RFC 9180, section 5.1."""
    private = RecipientPrivateKey(Secret(bytes.fromhex(vector["skRm"])))
    key, nonce = key_schedule(bytes.fromhex(vector["shared_secret"]), b"of this test")
    sealed = bytes.fromhex(vector["enc"]) + AESGCM(key).encrypt(nonce, bytes(32), None)
    assert len(sealed) == SEALED_BYTES
    assert private.open(sealed, b"of this test") == bytes(32)
    with pytest.raises(WrapRefused):
        private.open(sealed, b"of another")


def key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of base mode with X-Wing, HKDF-SHA256 and AES-256-GCM."""
    suite = b"HPKE" + X_WING.to_bytes(2) + (1).to_bytes(2) + (2).to_bytes(2)

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return HKDF.extract(SHA256(), salt, b"HPKE-v1" + suite + label + ikm)

    def expand(secret: bytes, label: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2) + b"HPKE-v1" + suite + label + context
        return HKDFExpand(SHA256(), length, labelled).derive(secret)

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared_secret, b"secret", b"")
    return expand(secret, b"key", 32), expand(secret, b"base_nonce", 12)


def known_answers() -> list[dict[str, str]]:
    text = (VECTORS / "asymmetric" / "MLKEM" / "kat_MLKEM_768.rsp").read_text()
    return [
        dict(re.findall(r"^(\w+) = ([0-9a-f]+)$", block, re.MULTILINE))
        for block in re.split(r"\n(?=count = )", text)
    ]


def test_keys_expanded_by_us_give_the_ml_kem_768_known_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [answer for answer in known_answers() if "pk" in answer]
    assert len(answers) >= 100
    expanded: list[Any] = []
    monkeypatch.setattr(sealing, "MLKEM768X25519PrivateKey", lambda *keys: expanded.append(keys))
    for answer in answers:
        # X-Wing expands its seed to (d, z) of ML-KEM and a scalar of X25519; the answers begin at (d, z).
        class Shake:
            def __init__(self, _: bytes, whole: bytes = bytes.fromhex(answer["d"] + answer["z"])) -> None:
                self._whole = whole

            def digest(self, size: int) -> bytes:
                return self._whole.ljust(size, b"\x07")

        with monkeypatch.context() as patch:
            patch.setattr(hashlib, "shake_256", Shake)
            private = RecipientPrivateKey(Secret(bytes(32)))
        assert private.public.encoded[:1184].hex() == answer["pk"]
        mlkem, _ = expanded.pop()
        assert mlkem.decapsulate(bytes.fromhex(answer["ct"])).hex() == answer["ss"]
        if "ct_n" in answer:  # a bad one gives another secret, not an error (FIPS 203, implicit rejection)
            assert mlkem.decapsulate(bytes.fromhex(answer["ct_n"])).hex() == answer["ss_n"]
