from __future__ import annotations

import base64
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from backend.audit import note, verify
from backend.audit.checkpoint import Checkpoint, open_checkpoint, sign
from backend.audit.cosignature import ED25519, ML_DSA_44, Cosigner, signed_at, verifier
from backend.audit.errors import InvalidNote
from backend.audit.note import Ed25519Signer, Note, NoteSignature, write_verifier_key

ORIGIN, WITNESS = "hospital.example/audit", "clinic.example/witness"
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
TIME = 1_679_315_147
BOTH = pytest.mark.parametrize("algorithm", [ED25519, ML_DSA_44])


def cosigner(algorithm: int, name: str = WITNESS, seed: int = 7) -> Cosigner:
    return Cosigner(name=name, algorithm=algorithm, seed=bytes([seed]) * 32, clock=lambda: TIME)


LOG = Ed25519Signer(name=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))


def test_ed25519_cosignature_is_over_header_time_and_note_text() -> None:
    signature = cosigner(ED25519).sign(CHECKPOINT.text().encode())
    message = (
        f"cosignature/v1\ntime {TIME}\n{ORIGIN}\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    ).encode()
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    assert signature == TIME.to_bytes(8, "big") + key.sign(message)


def test_ml_dsa_cosignature_is_over_the_structure_of_the_specification() -> None:
    signature = cosigner(ML_DSA_44).sign(CHECKPOINT.text().encode())
    assert (len(signature), signed_at(signature)) == (8 + 2_420, TIME)
    message = b"subtree/v1\n\0" + bytes([len(WITNESS)]) + WITNESS.encode() + TIME.to_bytes(8, "big")
    message += bytes([len(ORIGIN)]) + ORIGIN.encode() + bytes(8)
    message += (20_852_163).to_bytes(8, "big") + bytes(range(32))
    MLDSA44PrivateKey.from_seed_bytes(b"\x07" * 32).public_key().verify(signature[8:], message)


@BOTH
def test_cosigned_checkpoint_opens_with_both_keys(algorithm: int) -> None:
    witness = cosigner(algorithm)
    signed = sign(CHECKPOINT, [LOG, witness])
    known = [verifier(LOG.verifier_key), verifier(witness.verifier_key)]
    assert open_checkpoint(signed, origin=ORIGIN, verifiers=known) == CHECKPOINT
    assert [s.name for s in note.verify(note.parse(signed), known)] == [ORIGIN, WITNESS]


def test_log_signs_with_ml_dsa_under_its_own_name() -> None:
    own = cosigner(ML_DSA_44, ORIGIN)
    signed = sign(CHECKPOINT, [LOG, own])
    assert open_checkpoint(signed, origin=ORIGIN, verifiers=[verifier(own.verifier_key)]) == CHECKPOINT


@BOTH
def test_cosignature_of_another_tree_time_name_or_key_is_refused(algorithm: int) -> None:
    witness = cosigner(algorithm)
    text = CHECKPOINT.text().encode()
    signature = witness.sign(text)
    check = verifier(witness.verifier_key)
    assert check.verify(text, signature)
    for other in (
        Checkpoint(ORIGIN, 20_852_162, bytes(range(32))),
        Checkpoint(ORIGIN, 20_852_163, bytes(32)),
        Checkpoint("other.example/audit", 20_852_163, bytes(range(32))),
    ):
        assert not check.verify(other.text().encode(), signature)
    for changed in (
        (TIME + 1).to_bytes(8, "big") + signature[8:],
        signature[:-1],
        signature + b"\0",
        b"\x80" + signature[1:],
        b"",
    ):
        assert not check.verify(text, changed)
    assert not check.verify(text, cosigner(algorithm, seed=8).sign(text))


def test_ml_dsa_cosignature_of_another_name_is_refused() -> None:
    text = CHECKPOINT.text().encode()
    witness = cosigner(ML_DSA_44)
    assert not verifier(witness.verifier_key).verify(text, cosigner(ML_DSA_44, "x" + WITNESS).sign(text))


@BOTH
def test_text_that_is_no_checkpoint_is_neither_signed_nor_verified(algorithm: int) -> None:
    witness = cosigner(algorithm)
    with pytest.raises(InvalidNote):
        witness.sign(b"a letter\n")
    signature = witness.sign(CHECKPOINT.text().encode())
    assert not verifier(witness.verifier_key).verify(b"a letter\n", signature)


@BOTH
def test_wrong_cosignature_of_a_known_witness_refuses_the_note(algorithm: int) -> None:
    witness = cosigner(algorithm)
    good = note.parse(sign(CHECKPOINT, [LOG, witness]))
    raw = bytearray(good.signatures[1].signature)
    raw[20] ^= 1
    bad = Note(good.text, (good.signatures[0], NoteSignature(witness.name, witness.key_id, bytes(raw))))
    with pytest.raises(InvalidNote, match="is wrong"):
        note.verify(bad, [verifier(LOG.verifier_key), verifier(witness.verifier_key)])


@BOTH
def test_time_that_no_clock_gives_is_refused_though_it_is_signed(algorithm: int) -> None:
    text = CHECKPOINT.text().encode()
    for time, valid in ((2**63 - 1, True), (2**63, False)):
        late = Cosigner(name=WITNESS, algorithm=algorithm, seed=b"\x07" * 32, clock=partial(int, time))
        assert verifier(late.verifier_key).verify(text, late.sign(text)) is valid
        given = {"keys": [LOG.verifier_key], "witnesses": [late.verifier_key]}
        signed = sign(CHECKPOINT, [LOG, late])
        if valid:
            assert verify.open_checkpoint(signed, **given)[3] == [WITNESS]
        else:
            with pytest.raises(verify.VerificationError, match="time"):
                verify.open_checkpoint(signed, **given)


def test_kinds_of_one_key_have_different_ids() -> None:
    public = bytes(32)
    ids = {write_verifier_key(WITNESS, bytes([kind]) + public).split("+")[1] for kind in (1, 4, 6)}
    assert len(ids) == 3


@pytest.mark.parametrize("blob", [b"\x04" + bytes(31), b"\x06" + bytes(32), b"\x05" + bytes(32), b"\x01"])
def test_malformed_keys_are_refused(blob: bytes) -> None:
    with pytest.raises(InvalidNote):
        verifier(write_verifier_key(WITNESS, blob))
    wrong_id = f"{WITNESS}+00000000+{base64.b64encode(blob).decode()}"
    with pytest.raises(InvalidNote):
        verifier(wrong_id)


def test_name_too_long_for_the_structure_is_refused() -> None:
    with pytest.raises(InvalidNote):
        cosigner(ML_DSA_44, "w" * 256).sign(CHECKPOINT.text().encode())


def test_cosigner_does_not_show_its_key() -> None:
    assert "0707" not in repr(cosigner(ML_DSA_44))
