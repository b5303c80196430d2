"""Keeps the versions of care teams in the untrusted index, so that none can be forged, lost or put back.

A version lies sealed under its digest. The list of all teams with the digest of each is one sealed document a
revision, and the key store holds the digest of the newest list under its revision: the digest of an older one
is erased there. So a version that was changed or is missing is known to be, and an older list, which would
bring back somebody who was removed, is refused. See docs/decisions/0017-care-teams.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from backend.consent.care_team import CareTeam, digest_of
from backend.consent.errors import CareTeamsDamaged
from backend.errors import IntegrityError
from backend.keystore import KeyStore, Secret
from backend.sealed import DocumentSealer
from backend.types import Bytes32, MemberId

_BEGUN: Final = "care-teams/begun"


class CareTeamRows(Protocol):
    """Every write is durable on return and safe to repeat. All raise IndexUnavailable."""

    def put_version(self, team: MemberId, digest: Bytes32, sealed: bytes) -> None: ...

    def version(self, team: MemberId, digest: Bytes32) -> bytes | None: ...

    def put_list(self, revision: int, sealed: bytes) -> None:
        """Keep the list of a revision; another one of the same revision, that never came to count, goes."""

    def lists(self) -> Sequence[tuple[int, bytes]]:
        """Return the lists that are kept, newest first."""

    def drop_lists(self, *, below: int) -> None: ...


class CareTeamShelf:
    """One process writes at a time: the lock on the key store sees to that."""

    def __init__(self, *, rows: CareTeamRows, keys: KeyStore, documents: DocumentSealer) -> None:
        self._rows = rows
        self._keys = keys
        self._documents = documents

    def load(self) -> tuple[int, dict[MemberId, Bytes32]]:
        """Return the newest revision with the digest of every team's version.

        Raises CareTeamsDamaged when the list that counts is not there.
        """
        for revision, sealed in self._rows.lists():
            with suppress(IntegrityError):
                document = self._documents.open(sealed, subject=None, place=list_place_of(revision))
                if self._anchored(revision, document) and not self._exists(revision + 1):
                    found = json.loads(document)
                    return revision, {
                        MemberId(bytes.fromhex(team)): Bytes32(bytes.fromhex(digest))
                        for team, digest in found.items()
                    }
        if self._keys.exists("master", _BEGUN) or self._exists(1):
            raise CareTeamsDamaged
        return 0, {}

    def version(self, team: MemberId, digest: Bytes32) -> CareTeam | None:
        """Return a version, or None where none of that digest was kept. Raises SealedDocumentRefused."""
        sealed = self._rows.version(team, digest)
        if sealed is None:
            return None
        document = self._documents.open(sealed, subject=None, place=place_of(team, digest))
        return CareTeam.decode(document)

    def keep(self, changed: CareTeam, digests: Mapping[MemberId, Bytes32], *, revision: int) -> None:
        """Make a new version and the list with it durable as ``revision``. What fails may have been done."""
        digest = changed.digest
        place = place_of(changed.team_id, digest)
        sealed = self._documents.seal(changed.encode(), subject=None, place=place)
        self._rows.put_version(changed.team_id, digest, sealed)
        listed = {team.hex(): digest.hex() for team, digest in sorted(digests.items())}
        document = json.dumps(listed, sort_keys=True, separators=(",", ":")).encode()
        self._rows.put_list(
            revision, self._documents.seal(document, subject=None, place=list_place_of(revision))
        )
        self._keys.put("master", _anchor(revision), Secret(digest_of(document)))  # from here on it counts
        self._keys.get_or_create("master", _BEGUN)
        self.forget(below=revision)

    def forget(self, *, below: int) -> None:
        """End older lists: none must count again, wherever a copy of it comes from."""
        self._keys.erase("master", _anchor(below - 1))
        self._rows.drop_lists(below=below)

    def _anchored(self, revision: int, document: bytes) -> bool:
        if not self._exists(revision):
            return False
        return self._keys.get("master", _anchor(revision)) == Secret(digest_of(document))

    def _exists(self, revision: int) -> bool:
        return self._keys.exists("master", _anchor(revision))


def _anchor(revision: int) -> str:
    return f"care-teams/{revision}"


def place_of(team: MemberId, digest: Bytes32) -> str:
    """Return where a version of a care team is sealed for."""
    return f"care_teams/{team.hex()}/{digest.hex()}"


def list_place_of(revision: int) -> str:
    """Return where the list of a revision is sealed for."""
    return f"care_team_lists/{revision}"
