"""From a table to a release that was checked before it is seen: engine, verifier, order, pseudonyms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from backend.research.anonymize.domains import Domain, Ints, read_domains
from backend.research.anonymize.engine import anonymize
from backend.research.anonymize.errors import AnonymizationInvalid
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.hierarchy_files import Lines
from backend.research.anonymize.refusals import ReleaseUnverified
from backend.research.anonymize.schema import Schema
from backend.research.anonymize.types import Mode, PrivacyModel
from backend.research.anonymize.verify import Material, Promise, Verified, verify

_PSEUDONYM = b"assent-release-pseudonym-1"


@dataclass(frozen=True, slots=True)
class Request:
    """``suppression`` is the largest share of rows left out. ``protected`` names the sensitive columns that l
    and t hold for. ``pseudonym_key`` (32 bytes or more): the patient leaves as a pseudonym under this key;
    without it, not at all.
    """

    model: PrivacyModel
    mode: Mode = Mode.STRICT
    suppression: float = 0.0
    protected: tuple[str, ...] = ()
    pseudonym_key: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """``table`` is what leaves, in an order that says nothing; released row i was row ``kept[i]``."""

    table: pl.DataFrame
    kept: Ints
    verified: Verified
    domains: Mapping[str, Domain]


def release(
    table: pl.DataFrame, schema: Schema, hierarchies: Mapping[str, Lines], request: Request
) -> Release:
    """Anonymize a table that ``read_table`` gave and verify the result.

    Raises what the engine raises, AnonymizationInvalid for a request that the schema cannot fulfil, and
    ReleaseUnverified when the independent check disagrees with the engine.
    """
    protected = _protected(schema, request)
    patients = table[schema.patient] if schema.patient is not None else None
    done = anonymize(
        {name: table[name] for name in schema.quasi},
        {name: Hierarchy.parse(hierarchies[name], column=name) for name in schema.quasi},
        {name: table[name] for name in protected},
        model=request.model,
        suppression=request.suppression,
        mode=request.mode,
        patients=patients,
    )
    kept = in_random_order(np.flatnonzero(~done.suppressed))
    leaving = [
        done.quasi[name].alias(name) if name in schema.quasi else table[name] for name in schema.released
    ]
    released = pl.DataFrame(leaving)[kept]
    owners = patients[kept] if patients is not None else None
    domains = read_domains({name: hierarchies[name] for name in schema.quasi})
    verified = verify(
        Material(
            released=released.select([*schema.quasi, *schema.sensitive]),
            original=table.select(schema.quasi),
            kept=kept,
            sensitive_before=table.select(schema.sensitive),
            patients=owners,
            domains=domains,
        ),
        Promise(
            model=request.model,
            disjoint=request.mode is Mode.STRICT,
            suppression=request.suppression,
            protected=protected,
        ),
    )
    if request.pseudonym_key is not None and owners is not None:
        require_unlinkable(verified.classes.of_row, owners, request.model.k)
        released = released.insert_column(0, pseudonyms(owners, request.pseudonym_key))
    return Release(released, kept, verified, domains)


def in_random_order(places: Ints) -> Ints:
    """The places in an order drawn from the operating system's randomness."""
    keys = np.frombuffer(os.urandom(8 * len(places)), dtype=np.uint64)
    return places[np.argsort(keys)]


def pseudonyms(patients: pl.Series, key: bytes) -> pl.Series:
    """HMAC-SHA-256 (RFC 2104) of each patient under the key, first 16 bytes in hex.

    The key belongs to one recipient and study: under another one the pseudonyms cannot be joined.
    """
    distinct = patients.unique()
    made = [_pseudonym(patient, key) for patient in distinct.to_list()]
    return patients.replace_strict(distinct, made, return_dtype=pl.String)


def require_unlinkable(
    class_of_row: np.ndarray[tuple[int], np.dtype[np.uint32]], patients: pl.Series, k: int
) -> None:
    """Raise ReleaseUnverified unless k patients share each set of classes.

    A pseudonym joins the rows of a patient: whoever knows the person in several of them looks for the
    pseudonyms that are in all of these classes at once.
    """
    sets = (
        pl.DataFrame({"patient": patients, "class": class_of_row})
        .unique()
        .sort("class")
        .group_by("patient", maintain_order=True)
        .agg("class")
    )
    if int(sets.group_by("class").len()["len"].min()) < k:  # type: ignore[arg-type]
        raise ReleaseUnverified(
            "rows joined by a pseudonym would single out fewer than k patients; release without pseudonyms"
        )


def _pseudonym(patient: str, key: bytes) -> str:
    mac = HMAC(key, SHA256())
    mac.update(_PSEUDONYM + patient.encode())
    return mac.finalize()[:16].hex()


def _protected(schema: Schema, request: Request) -> tuple[str, ...]:
    if request.pseudonym_key is not None and schema.patient is None:
        raise AnonymizationInvalid("pseudonyms need a column with the role 'patient'")
    for name in request.protected:
        if name not in schema.sensitive:
            raise AnonymizationInvalid(f"column {name!r} is not sensitive", field=name)
    if not request.model.needs_sensitive:
        return ()
    protected = request.protected or schema.sensitive
    if not protected:
        raise AnonymizationInvalid("l and t need a sensitive column")
    return protected
