"""Every collection of the index whose documents bear a mark, and how each is checked and made.

``fsck`` checks what stands here, and whoever changes a marked document by itself makes its mark anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from backend.adapters.index.act_store import act_of, content_of
from backend.adapters.index.enrolment_store import enrolment_of
from backend.adapters.index.identity_store import account_of, client_of
from backend.adapters.index.marks import MARK, Marks, Purpose
from backend.adapters.index.token_store import family_of, state_of
from backend.identity.seal import Sealed, Sealer
from backend.keystore import KeyStore
from backend.sealed import DocumentSealer

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Marked:
    """``require`` raises an IntegrityError for a document without its mark; ``made`` returns the member that
    holds it, made now."""

    require: Callable[[Document], object]
    made: Callable[[Document], dict[str, Any]]


def marked_collections(keys: KeyStore) -> Mapping[str, Marked]:
    """Return how the documents of each collection are marked, by its name."""
    identity, documents, acts = Sealer(keys), DocumentSealer(keys), Marks(keys, "acts")

    def read(row: Callable[[Document], Sealed]) -> Marked:
        return Marked(
            require=lambda document: identity.check(row(document)),
            made=lambda document: {"seal": identity.seal(row(document)).seal},
        )

    def whole(purpose: Purpose) -> Marked:
        marks = Marks(keys, purpose)
        return Marked(require=marks.checked, made=lambda document: {MARK: marks.marked(document)[MARK]})

    return {
        "staff": read(lambda document: account_of(document, documents)),
        "clients": read(client_of),
        "token_families": read(family_of),
        "signing_keys": read(state_of),
        "enrolments": read(enrolment_of),
        "acts": Marked(
            require=lambda document: acts.require(document.get(MARK), content_of(act_of(document))),
            made=lambda document: {MARK: acts.of(content_of(act_of(document)))},
        ),
        "chain_positions": whole("chain_positions"),
        "consent_uses": whole("consent_uses"),
        "erasures": whole("erasures"),
        "legal_holds": whole("legal_holds"),
        "privacy_marks": whole("privacy_marks"),
        "release_members": whole("release_members"),
        "result_removals": whole("result_removals"),
        "research_releases": whole("research_releases"),
        "escrow_fundings": whole("escrow_fundings"),
        "study_results": whole("study_results"),
        "payees": whole("payees"),
        "payment_shares": whole("payment_shares"),
        "payment_leaves": whole("payment_leaves"),
        "payout_trees": whole("payout_trees"),
    }
