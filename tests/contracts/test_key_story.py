"""A patient makes a key for the records, and nobody else's key takes its place."""

from __future__ import annotations

from hashlib import sha256

from brownie import chain
from eth_account import Account
from people import Person
from refusals import refuses
from typed_data import FOREVER, domain, message

KEY, OTHER = (sha256(text.encode()).digest() for text in ("made on the phone", "made by the service"))


def _binding(keys, patient, who, key_hash, sequence):
    content = {
        "subject": patient.subject,
        "keyHash": key_hash,
        "sequence": sequence,
        "submitBy": FOREVER,
    }
    signature = who.sign(message(domain(keys, "Assent Keys"), "BindKey", content))
    return (*content.values(), signature)


def _key(keys, patient):
    key_hash, sequence, bound_at = keys.keyOf(patient.subject)
    return bytes.fromhex(str(key_hash).removeprefix("0x")), int(sequence), int(bound_at)


def test_patient_binds_a_key_and_nobody_puts_another_in_its_place(keys, patient, relayer, hospital):
    keys.bindKey(*_binding(keys, patient, patient.person, KEY, 1), {"from": relayer})
    assert _key(keys, patient) == (KEY, 1, chain[-1].timestamp)
    stranger = Person(Account.create())
    with refuses("SignatureInvalid", patient.person.address):
        keys.bindKey(*_binding(keys, patient, stranger, OTHER, 2), {"from": hospital})
    pending = _binding(keys, patient, patient.person, OTHER, 2)
    content = {"subject": patient.subject, "sequence": 2}
    signature = patient.person.sign(message(domain(keys, "Assent Keys"), "WithdrawKey", content))
    keys.withdrawKey(*content.values(), signature, {"from": relayer})
    assert _key(keys, patient) == (bytes(32), 2, 0)
    with refuses("SequenceNotNext", 2, 3):
        keys.bindKey(*pending, {"from": hospital})
