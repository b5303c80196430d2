"""What ``assent keys`` does to a stopped service: list the classes of keys, and replace one of them.

Each rotation is a state kept in the key store, safe to repeat after a crash; the next start ends and logs
what was left. Keys of patients, of the log and of accounts on the chain are others: docs/operations.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, get_args

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.root import Passphrase
from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.key_rotations import log_rotations
from backend.bootstrap import World, clock, open_world
from backend.erasure.service import ACT as ERASURE
from backend.erasure.service import going_keys
from backend.identity.people import INDEX_KEYS
from backend.identity.reblinding import Reblinding
from backend.identity.seal import Sealer
from backend.interop.receipts.keys import KEY_CLASS as DOCUMENT_KEYS
from backend.interop.receipts.keys import DocumentKeys
from backend.keystore import KeyVersion, WrappingClass, version_of
from backend.maintenance.errors import RootInHsm
from backend.records.slots import END_TO_END
from backend.rotations import AT_REST, rotation_at_rest
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import open_stores

PATIENT: Final = "patient"
SEGMENT: Final = "segment"
ACCESS_TOKEN: Final = "access-token"  # noqa: S105 - a class of keys; these are rotated while the service runs
_NOTED: Final = (INDEX_KEYS, DOCUMENT_KEYS, *AT_REST)  # whose versions the key store keeps for others
_WRAPPING: Final[dict[str, WrappingClass]] = {name: name for name in get_args(WrappingClass)}


class KeyRotation:
    def __init__(self, world: World) -> None:
        self._stores = world.stores
        self._services = world.services
        self._driver = world.driver

    def listed(self) -> list[dict[str, Any]]:
        """Return a line a class: version, when it was made, the lowest version in use. Never a secret."""
        keys = self._stores.keys
        own = [found for found in keys.versions() if found.key_class not in _NOTED]
        return [
            *(_line(version) for version in own),
            *(_line(version_of(keys, key_class)) for key_class in _NOTED),
            _line(self._access_token()),
        ]

    def rotate(
        self, key_class: str, *, passphrase: str | None = None, compromised: bool = False
    ) -> dict[str, Any]:
        """Replace the keys of a class, one of ``commands.keys.Class``, and log it: none of those ``AT_REST``.

        ``passphrase``: the new one, for the root. Raises RootInHsm; KeyStorePassphrase for an empty one.
        """
        keys = self._stores.keys
        if key_class == "root":
            if not isinstance(keys, EmbeddedKeyStore):
                raise RootInHsm
            keys.rotate_root(Passphrase(passphrase or ""))
        elif key_class == INDEX_KEYS:
            self._reblinding().rotate(clock=clock)
        elif key_class == DOCUMENT_KEYS:
            DocumentKeys(keys).rotate(clock=clock, compromised=compromised)
        elif key_class in {PATIENT, SEGMENT}:
            return self._of_patients(key_class)
        else:
            keys.rotate(_WRAPPING[key_class])
        log_rotations(keys, self._services.audit, clock=clock)
        return _line(version_of(keys, key_class))

    def state(self, key_class: str) -> dict[str, Any]:
        """Return where a class stands, whose rotation the start has logged."""
        return _line(version_of(self._stores.keys, key_class))

    def _of_patients(self, key_class: str) -> dict[str, Any]:
        """Replace every patient's master, which wraps the segment keys, or these for what is written from now
        on; those that a patient keeps end to end are the patient's to replace. Log it once.

        Whose erasure is under way gets none."""
        # Nothing is carried on meanwhile: an erasure writes down what goes and then destroys just that.
        self._driver.close()
        slots = self._services.slots
        going = going_keys(MongoActStore(self._stores.database, self._stores.keys).unfinished([ERASURE]))
        subjects = [subject for subject in slots.subjects() if going.isdisjoint(slots.keys_of(subject))]
        for subject in subjects:
            if key_class == PATIENT:
                slots.rotate_master(subject)
                continue
            for kind in slots.kinds(subject):
                if not kind.startswith(END_TO_END):
                    slots.raise_epoch(subject, kind)
        self._services.audit.append(
            AuditEvent(
                type=codes.KEY_ROTATED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=clock() * 1000,
                actor=Agent.service("keys"),
                detail={"class": key_class, "patients": len(subjects)},
            )
        )
        return {"class": key_class, "patients": len(subjects)}

    def _reblinding(self) -> Reblinding:
        keys = self._stores.keys
        return Reblinding(
            keys=keys,
            documents=DocumentSealer(keys),
            store=MongoEnrolmentStore(self._stores.database),
            sealer=Sealer(keys),
        )

    def _access_token(self) -> KeyVersion:
        states = self._services.identity.ring.states()
        return KeyVersion(ACCESS_TOKEN, states[-1].generation, states[0].generation, states[-1].sign_from)


def rotate_keys(
    settings: Settings, key_class: str, *, passphrase: str | None = None, compromised: bool = False
) -> dict[str, Any]:
    """Replace the keys of a class of a stopped service, and log it. Raises as ``KeyRotation.rotate``,
    DataDirectoryInUse while it runs, and DocumentsDamaged."""
    if key_class in AT_REST:
        stores = open_stores(settings)
        with stores.closing:
            rotation_at_rest(stores, key_class).rotate(clock=clock)
        with open_rotation(settings) as rotation:
            return rotation.state(key_class)
    with open_rotation(settings) as rotation:
        return rotation.rotate(key_class, passphrase=passphrase, compromised=compromised)


@contextmanager
def open_rotation(settings: Settings) -> Iterator[KeyRotation]:
    """Open the stores of a stopped service. Raises DataDirectoryInUse while it runs."""
    with closing(open_world(settings)) as world:
        yield KeyRotation(world)


def _line(version: KeyVersion) -> dict[str, Any]:
    made_at = datetime.fromtimestamp(version.made_at, UTC).isoformat() if version.made_at else None
    return {
        "class": version.key_class,
        "version": version.version,
        "minimum": version.minimum,
        "made_at": made_at,
    }
