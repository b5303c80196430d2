from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.audit import note
from backend.audit.checkpoint import Checkpoint, open_checkpoint, parse, sign
from backend.audit.errors import InvalidNote
from backend.audit.note import Ed25519Signer, Ed25519Verifier, Note, NoteSignature

ORIGIN = "hospital.example/audit"
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))


def signer(name: str = ORIGIN, seed: int = 1) -> Ed25519Signer:
    return Ed25519Signer(name=name, private_key=Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


OLD, NEW, WITNESS = signer(), signer(seed=2), signer("clinic.example/witness", seed=3)


def verifier(of: Ed25519Signer) -> Ed25519Verifier:
    return Ed25519Verifier(of.verifier_key)


def test_key_id_and_signature_agree_with_the_published_example_of_the_go_implementation() -> None:
    # golang.org/x/mod/sumdb/note: the example key and the note it signed
    key = Ed25519Verifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    line = (
        "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
        "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    parsed = note.parse(text + "\n" + line)
    assert note.verify(parsed, [key]) == parsed.signatures
    assert parsed.encode() == text + "\n" + line


def test_checkpoint_signed_by_the_log_opens_with_its_key() -> None:
    signed = sign(CHECKPOINT, [OLD])
    assert signed.startswith(f"{ORIGIN}\n20852163\nAAECAwQ")
    assert parse(signed) == CHECKPOINT
    assert open_checkpoint(signed, origin=ORIGIN, verifiers=[verifier(OLD)]) == CHECKPOINT


def test_old_checkpoints_stay_verifiable_after_a_key_rotation() -> None:
    verifiers = [verifier(NEW), verifier(OLD)]
    for keys in ([OLD], [NEW], [OLD, NEW]):
        assert open_checkpoint(sign(CHECKPOINT, keys), origin=ORIGIN, verifiers=verifiers) == CHECKPOINT
    with pytest.raises(InvalidNote, match="no known key"):
        open_checkpoint(sign(CHECKPOINT, [OLD]), origin=ORIGIN, verifiers=[verifier(NEW)])


def test_unknown_cosignatures_are_carried_and_ignored() -> None:
    cosignature = NoteSignature("witness.example", b"\x06\x01\x02\x03", bytes(2_420))
    parsed = note.parse(sign(CHECKPOINT, [OLD]))
    both = Note(parsed.text, (cosignature, *parsed.signatures)).encode()
    assert open_checkpoint(both, origin=ORIGIN, verifiers=[verifier(OLD)]) == CHECKPOINT
    assert note.parse(both).signatures[0] == cosignature


def test_a_witness_alone_does_not_make_a_checkpoint_of_the_log() -> None:
    known = [verifier(OLD), verifier(WITNESS)]
    with pytest.raises(InvalidNote, match="log itself"):
        open_checkpoint(sign(CHECKPOINT, [WITNESS]), origin=ORIGIN, verifiers=known)
    assert open_checkpoint(sign(CHECKPOINT, [OLD, WITNESS]), origin=ORIGIN, verifiers=known) == CHECKPOINT


def test_every_flipped_bit_of_a_checkpoint_is_refused() -> None:
    signed = sign(CHECKPOINT, [OLD]).encode()
    for place in range(len(signed)):
        for bit in range(8):
            changed = bytearray(signed)
            changed[place] ^= 1 << bit
            try:
                text = changed.decode()
            except UnicodeDecodeError:
                continue
            with pytest.raises(InvalidNote):
                open_checkpoint(text, origin=ORIGIN, verifiers=[verifier(OLD)])


def test_wrong_signature_of_a_known_key_is_refused_even_beside_a_good_one() -> None:
    good = note.parse(sign(CHECKPOINT, [OLD, NEW]))
    bad = NoteSignature(NEW.name, NEW.key_id, bytes(64))
    with pytest.raises(InvalidNote, match="is wrong"):
        note.verify(Note(good.text, (good.signatures[0], bad)), [verifier(OLD), verifier(NEW)])


def test_two_signatures_of_one_key_are_refused() -> None:
    parsed = note.parse(sign(CHECKPOINT, [OLD]))
    with pytest.raises(InvalidNote, match="twice"):
        note.verify(Note(parsed.text, parsed.signatures * 2), [verifier(OLD)])


def test_two_known_keys_with_one_id_are_refused() -> None:
    parsed = note.parse(sign(CHECKPOINT, [OLD]))
    with pytest.raises(InvalidNote, match="one name and id"):
        note.verify(parsed, [verifier(OLD), verifier(OLD)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n\N{EM DASH} name AAAAAAA=",
        "text\n\nname AAAAAAAA\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n\N{EM DASH} name\n",
        "text\n\n\N{EM DASH} na+me AAAAAAAA\n",
        "text\n\n\N{EM DASH}  AAAAAAAA\n",
        "text\n\n\N{EM DASH} name AAAAAA==\n",  # a key id and no signature
        "text\n\n\N{EM DASH} name AAAAAAB=\n",
        "text\n\n\N{EM DASH} name !!!!\n",
        "te\x00xt\n\n\N{EM DASH} name AAAAAAAA\n",
        "te\rxt\n\n\N{EM DASH} name AAAAAAAA\n",
        "te\ud800xt\n\n\N{EM DASH} name AAAAAAAA\n",
        "text\n\n" + "\N{EM DASH} name AAAAAAAA\n" * 101,
        "text\n" * 300_000 + "\n\N{EM DASH} name AAAAAAAA\n",
    ],
)
def test_malformed_notes_are_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        note.parse(text)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n01\n{ROOT}\n",
        f"{ORIGIN}\n-1\n{ROOT}\n",
        f"{ORIGIN}\n+1\n{ROOT}\n",
        f"{ORIGIN}\n١\n{ROOT}\n",
        f"{ORIGIN}\n{2**63}\n{ROOT}\n",
        f"{ORIGIN}\n1\n{ROOT}=\n",
        f"{ORIGIN}\n1\n{ROOT[:-4]}\n",
        f"{ORIGIN}\n1\n{ROOT[:-2]}B=\n",
        f"\n1\n{ROOT}\n",
        f"{ORIGIN}\n1\n{ROOT}\n\nextension\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        parse(note.sign(text, [OLD]).encode())


def test_checkpoint_of_another_log_is_refused() -> None:
    other = Checkpoint("other.example/audit", 1, bytes(32))
    with pytest.raises(InvalidNote, match="another log"):
        open_checkpoint(sign(other, [OLD]), origin=ORIGIN, verifiers=[verifier(OLD)])


def test_checkpoint_that_could_not_be_read_back_is_not_signed() -> None:
    for bad in (Checkpoint("two\nlines", 1, bytes(32)), Checkpoint(ORIGIN, 1, bytes(32), ("",))):
        with pytest.raises(InvalidNote):
            sign(bad, [OLD])


def test_extension_lines_are_signed_and_read() -> None:
    extended = Checkpoint(ORIGIN, 3, bytes(32), ("further line",))
    assert open_checkpoint(sign(extended, [OLD]), origin=ORIGIN, verifiers=[verifier(OLD)]) == extended


@pytest.mark.parametrize(
    "key", ["", "name", "name+00000000+AAAA", OLD.verifier_key[:-4], "x" + OLD.verifier_key]
)
def test_malformed_verifier_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidNote):
        Ed25519Verifier(key)


def test_signer_does_not_show_its_key() -> None:
    assert OLD.verifier_key in repr(OLD)
    assert (b"\x01" * 32).hex() not in repr(OLD)
