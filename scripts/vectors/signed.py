"""Known answers for hashes, signatures and summaries, made with published keys that protect nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, Final

from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from backend.consent.errors import UnknownCode
from backend.consent.schema import CLASSES, STRUCTS, TYPE_STRINGS, encode_type
from backend.consent.summary import render, with_summary
from backend.consent.tables import LANGUAGES, Tables
from backend.consent.terms import Delegation, Document, Grant
from backend.consent.terms_json import to_json
from backend.consent.typed_data import Domain, Signable, digest, struct_hash, typed_data
from backend.types import Address, Bytes32, to_hex
from scripts.vectors.commands import SignedCase, consent_cases, recovery_cases
from scripts.vectors.deployment import CONTRACTS, DOMAINS, account, deployment_json, error, sign, sign_hash
from scripts.vectors.documents import documents
from scripts.vectors.key_commands import key_cases
from scripts.vectors.member_commands import checkpoint_cases, custody_cases, emergency_cases, study_cases

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
# The struct hash of these is the id under which the chain keeps what they say.
_NAMED: Final = {"Grant", "Delegation", "OpenEmergency", "OpenEmergencyLate", "TransferCustody"}


def signed_cases() -> Iterator[SignedCase]:
    """Yield a case of every type that is signed."""
    yield from chain(consent_cases(), recovery_cases(), emergency_cases())
    yield from chain(key_cases(), custody_cases(), checkpoint_cases(), study_cases())


def typed_data_vectors() -> dict[str, Any]:
    """Return types, domains and, for messages of each type, typed data, hashes, signatures and calls."""
    names = [text.partition("(")[0] for text in TYPE_STRINGS]
    return {
        **deployment_json(),
        "types": {
            name: {"string": encode_type(name), "hash": to_hex(keccak(encode_type(name).encode()))}
            for name in names
        },
        "domains": {
            name: {"name": domain.name, "separator": to_hex(domain.separator)}
            for name, domain in DOMAINS.items()
        },
        "cases": [_vector(case) for case in signed_cases()],
    }


def summary_vectors(tables: Tables) -> list[dict[str, Any]]:
    """Return documents with the summary that ``tables`` give, in each language."""
    return list(_summaries(tables))


def _summaries(tables: Tables) -> Iterator[dict[str, Any]]:
    for name, document in documents():
        with suppress(UnknownCode):  # earlier tables have no words for what came later
            yield {
                "name": name,
                "type": type(document).__name__,
                "document": to_json(_worded(document, tables)),
                "summaries": {language: render(document, language, tables) for language in LANGUAGES},
            }


def _worded(document: Document, tables: Tables) -> Document:
    if isinstance(document, Grant):  # a branch a type: the type checker takes one at a time
        return with_summary(document, tables)
    return with_summary(document, tables)


def _vector(case: SignedCase) -> dict[str, Any]:
    domain, message = DOMAINS[case.contract], case.message
    name = type(message).__name__
    hashed = to_hex(struct_hash(message))
    vector = {
        "name": case.name,
        "contract": case.contract,
        "typedData": typed_data(message, domain),
        "typeHash": to_hex(keccak(encode_type(name).encode())),
        "structHash": hashed,
        **({"id": hashed} if name in _NAMED else {}),
        **_terms_hash(message),
        "digest": to_hex(digest(message, domain)),
        "signer": account(case.signer),
        "signature": to_hex(case.signature),
        "before": [step.to_json() for step in case.before],
        "call": case.call.to_json(),
        "refused": list(_refused(case)),
    }
    if case.call.data.count(case.signature) != 1:
        raise ValueError(f"{case.name}: the call does not carry the signature once")
    return vector


def _terms_hash(message: Signable) -> dict[str, str]:
    if isinstance(message, Grant | Delegation):
        return {"termsHash": to_hex(struct_hash(message.terms))}
    return {}


def _refused(case: SignedCase) -> Iterator[dict[str, Any]]:
    """Yield signatures that must not serve for the message, each refused with the same error."""
    domain, message = DOMAINS[case.contract], case.message
    own = digest(message, domain)

    def refusal(name: str, signed: bytes, signature: bytes, **more: str) -> dict[str, Any]:
        words = {"error": "SignatureInvalid", "answer": to_hex(_invalid(case))}
        return {"name": name, **more, "digest": to_hex(signed), "signature": to_hex(signature), **words}

    elsewhere = (
        ("wrong_chain", Domain(domain.chain_id + 1, domain.verifying_contract, domain.name)),
        ("wrong_contract", Domain(domain.chain_id, _another(case.contract), domain.name)),
        ("wrong_name", Domain(domain.chain_id, domain.verifying_contract, domain.name + " ")),
    )
    for name, other in elsewhere:
        yield refusal(name, digest(message, other), sign(case.signer, message, other))
    as_type, signed = _as_another_command(message, domain)
    yield refusal("other_command", signed, sign_hash(case.signer, signed), signedAs=as_type)
    high = (_ORDER - int.from_bytes(case.signature[32:64])).to_bytes(32)
    yield refusal("high_s", own, case.signature[:32] + high + bytes([55 - case.signature[64]]))
    stranger = "operator"
    yield refusal("other_signer", own, sign_hash(stranger, own), signedBy=account(stranger))


def _invalid(case: SignedCase) -> bytes:
    return error(case.contract, "SignatureInvalid", account(case.signer))


def _another(contract: str) -> Address:
    return next(address for name, address in CONTRACTS.items() if name != contract)


def _as_another_command(message: Signable, domain: Domain) -> tuple[str, Bytes32]:
    """Return a type whose members have the same types, and the digest of the same values under that type.

    Where no other command has the same members, it is a made-up one.
    """
    name = type(message).__name__
    alike = (other for other in CLASSES if other != name and _members(other) == _members(name))
    other = next(alike, None)
    if other is not None:
        values = (getattr(message, member.attribute) for member in STRUCTS[name])
        return encode_type(other), digest(CLASSES[other](*values), domain)
    data = typed_data(message, domain)
    renamed = "Other" + name
    data["types"][renamed] = data["types"].pop(name)
    made = encode_typed_data(full_message={**data, "primaryType": renamed})
    signed = keccak(b"\x19" + made.version + made.header + made.body)
    return renamed + encode_type(name).removeprefix(name), Bytes32(signed)


def _members(name: str) -> list[str]:
    return [member.type for member in STRUCTS[name]]
