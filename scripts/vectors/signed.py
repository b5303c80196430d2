"""Known answers for hashes, signatures and summaries, made with fixed keys that protect nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.main import KeyAPI

from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    DelegatedEndForCause,
    EndForCause,
    ProposeRecovery,
    RecoveryCommand,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.schema import TYPE_STRINGS, encode_type
from backend.consent.summary import render, with_summary
from backend.consent.tables import LANGUAGES, Tables
from backend.consent.terms import (
    ABSENT,
    EVERYONE,
    UNBOUNDED,
    BreakGlass,
    Command,
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Document,
    Grant,
    Kind,
    OpenSubject,
    ResearchTerms,
    Revoke,
    RevokeAll,
    Rule,
)
from backend.consent.terms_json import to_json
from backend.consent.typed_data import RECOVERY_NAME, Domain, consent_id, digest, struct_hash, typed_data
from backend.types import ConsentId, UnixSeconds, to_hex
from scripts.vectors import world as w

DOMAIN = Domain(7_741_001, w.STRANGER)
RECOVERY_DOMAIN = Domain(7_741_001, w.CARER, RECOVERY_NAME)
_KEYS = KeyAPI(CoinCurveECCBackend())


def typed_data_vectors() -> dict[str, Any]:
    """Return type strings and, for one message of each type, typed data, hashes and a signature."""
    return {
        "types": {name: encode_type(name) for name in (text.partition("(")[0] for text in TYPE_STRINGS)},
        "domainSeparator": to_hex(DOMAIN.separator),
        "recoveryDomainSeparator": to_hex(RECOVERY_DOMAIN.separator),
        "cases": [_signed(name, command) for name, command in _commands()],
    }


def summary_vectors(tables: Tables) -> list[dict[str, Any]]:
    """Return documents with the summary that ``tables`` give, in each language."""
    return [
        {
            "name": name,
            "type": type(document).__name__,
            "document": to_json(_worded(document, tables)),
            "summaries": {language: render(document, language, tables) for language in LANGUAGES},
        }
        for name, document in _documents()
    ]


def _worded(document: Document, tables: Tables) -> Document:
    if isinstance(document, Grant):  # a branch a type: the type checker takes one at a time
        return with_summary(document, tables)
    return with_summary(document, tables)


def _signed(name: str, command: Command) -> dict[str, Any]:
    domain = RECOVERY_DOMAIN if isinstance(command, RecoveryCommand) else DOMAIN
    message_digest = digest(command, domain)
    key = _KEYS.PrivateKey((1).to_bytes(32))  # of the patient's account
    signature = key.sign_msg_hash(message_digest).to_bytes()
    vector = {
        "name": name,
        "typedData": typed_data(command, domain),
        "structHash": to_hex(struct_hash(command)),
        "digest": to_hex(message_digest),
        "signer": w.PATIENT,
        "signature": to_hex(signature[:64] + bytes([signature[64] + 27])),
    }
    terms = getattr(command, "terms", None)
    return vector if terms is None else {**vector, "termsHash": to_hex(struct_hash(terms))}


def _commands() -> Iterator[tuple[str, Command]]:
    documents = dict(_documents())
    permit, mother = documents["permit"], documents["delegation"]
    yield from documents.items()
    yield "delegated_grant", DelegatedGrant(w.grant(label="delegated"), consent_id(mother))
    child = w.delegation(delegate=w.CARER, parent=consent_id(mother), label="child")
    yield "delegated_delegation", DelegatedDelegation(child, consent_id(mother))
    yield "revoke", Revoke(consent_id(permit))
    yield "delegated_revoke", DelegatedRevoke(consent_id(permit), consent_id(mother))
    yield "revoke_all", RevokeAll(w.SUBJECT, 3)
    soon = UnixSeconds(w.START + w.DAY)
    yield "open_subject", OpenSubject(w.SUBJECT, w.PATIENT, soon)
    guardian = consent_id(documents["guardianship"])
    yield "end_for_cause", EndForCause(consent_id(mother))
    yield "delegated_end_for_cause", DelegatedEndForCause(consent_id(mother), guardian)
    policy = RecoveryPolicy(
        (guardian, ConsentId(w.salt("second")), ConsentId(w.salt("third"))), 2, w.salt("policy")
    )
    yield "set_recovery_policy", SetRecoveryPolicy(w.SUBJECT, policy, 1, soon)
    yield "propose_recovery", ProposeRecovery(w.SUBJECT, w.CARER, 4, soon)
    yield "accept_recovery", AcceptRecovery(w.SUBJECT, w.CARER, 4, soon)
    yield "confirm_recovery", ConfirmRecovery(w.SUBJECT, w.CARER, 4, soon)
    yield "veto_recovery", VetoRecovery(w.SUBJECT, 5)


def _documents() -> Iterator[tuple[str, Document]]:
    yield "permit", with_summary(w.grant(label="permit", notice=w.salt("notice")), w.TABLES)
    rules = (
        Rule(permit=False, sensitivities=w.sensitivities("MH", "PSY")),
        Rule(
            permit=True,
            categories=w.categories("medications"),
            sensitivities=w.sensitivities("MH"),
            grantees=(w.DOCTOR,),
            data_from=w.DATA_TIME,
            obligations=w.obligations("no_export", "notify"),
        ),
        Rule(permit=False, references=(w.salt("record"),), data_to=w.DATA_TIME, actions=w.actions("use")),
        Rule(permit=True, purposes=w.purposes("COC")),
    )
    yield (
        "permit_with_rules",
        with_summary(
            w.grant(
                Kind.PERMIT,
                *rules,
                label="rules",
                purposes=w.purposes("TREAT", "COC"),
                sensitivities=w.sensitivities("MH", "PSY"),
                data_from=w.DATA_TIME,
                data_to=w.NOW,
                erase_by=w.END,
                max_uses=12,
                break_glass=BreakGlass.LIMIT,
                break_glass_categories=w.categories("allergies", "medications"),
                redelegation_depth=1,
                request=w.salt("request"),
                supersedes=consent_id(w.grant(label="permit")),
                language="de",
            ),
            w.TABLES,
        ),
    )
    research = ResearchTerms(("DUO:0000007:MONDO_0005148", "DUO:0000046"), 20, 1_500_000, 2**70)
    yield (
        "permit_for_research",
        with_summary(
            w.grant(
                label="research",
                grantee=w.UNIVERSITY,
                purposes=w.purposes("HRESCH", "DSRCH"),
                actions=w.actions("compute"),
                research=research,
                not_after=UNBOUNDED,
                break_glass=BreakGlass.FORBID,
            ),
            w.TABLES,
        ),
    )
    at_once = w.grant(label="at once", not_before=UnixSeconds(0))
    yield "permit_at_once", with_summary(at_once, w.TABLES)
    yield "deny_everyone", with_summary(w.grant(Kind.DENY, label="deny", not_after=UNBOUNDED), w.TABLES)
    narrow = w.grant(
        Kind.DENY,
        label="deny narrow",
        grantee=w.CLINIC,
        purposes=w.purposes("MLTRAINING"),
        sensitivities=w.sensitivities("HIV"),
        data_to=w.NOW,
    )
    yield "deny_one", with_summary(narrow, w.TABLES)
    yield "refusal", with_summary(w.grant(Kind.REFUSAL, label="refusal", language="de"), w.TABLES)
    open_refusal = w.grant(Kind.REFUSAL, label="refusal of all", grantee=EVERYONE)
    yield "refusal_of_all", with_summary(open_refusal, w.TABLES)
    for_good = w.grant(Kind.DENY, label="at once, for good", not_before=UnixSeconds(0), not_after=UNBOUNDED)
    yield "deny_at_once_for_good", with_summary(for_good, w.TABLES)
    yield "delegation", with_summary(w.delegation(label="mother", powers=15, depth=2), w.TABLES)
    guardian = w.delegation(
        Kind.GUARDIANSHIP, label="guardian", relationship="Mutter {allein}", language="de", parent=ABSENT
    )
    yield "guardianship", with_summary(guardian, w.TABLES)
    yield (
        "carer",
        with_summary(
            w.delegation(delegate=w.CARER, powers=4, parent=consent_id(guardian), evidence=bytes(32)),
            w.TABLES,
        ),
    )
