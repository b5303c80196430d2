"""Where clients want their messages: set, shown without the secret, removed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.idempotency import Attempt
from backend.identity.clients import Clients
from backend.identity.errors import ClientSecretNotShown
from backend.identity.types import Client
from backend.notices.errors import WebhookUnknown
from backend.notices.ports import EndpointStore, Sender
from backend.notices.signing import secret_of, shown
from backend.notices.types import Endpoint, Topic
from backend.sealed import DocumentSealer, require_schema
from backend.types import MemberId, UnixSeconds

SCHEMA_VERSION: Final = 1
OVERLAP_SECONDS: Final = 24 * 3600  # for which the secret before still signs beside the new one
REMEMBERED_SECONDS: Final = (
    5.0  # so that a burst of events asks the index once; another process's change waits
)


class Endpoints:
    """``master``: 32 bytes of the key store, from which the secrets are drawn."""

    def __init__(
        self,
        *,
        store: EndpointStore,
        clients: Clients,
        sender: Sender,
        sealer: DocumentSealer,
        master: bytes,
        audit: AuditLog,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._clients = clients
        self._sender = sender
        self._sealer = sealer
        self._master = master
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: tuple[float, Sequence[tuple[Client, Endpoint]]] = (0.0, ())

    def set(
        self, client_id: str, url: str, topics: frozenset[Topic], *, by: Agent, attempt: Attempt
    ) -> tuple[Endpoint, str]:
        """Set a client's endpoint; return it with the new secret, which is shown to this attempt only.

        Messages are signed with the secret before, too, for a day. A retry of the attempt draws the same
        secret. Raises ClientUnknown, WebhookRefused, ClientSecretNotShown.
        """
        client = self._clients.get(client_id)
        self._sender.check(url)
        salt = attempt.draw("webhook")
        before = self._find(client.client_id)
        if before is not None and before.salt == salt:
            return before, shown(secret_of(self._master, salt))
        if attempt.finished:  # set anew or removed since: an old retry must not bring it back
            raise ClientSecretNotShown
        now = UnixSeconds(self._clock())
        endpoint = Endpoint(
            client_id=client.client_id,
            url=url,
            topics=topics,
            salt=salt,
            previous_salt=before.salt if before else None,
            previous_until=UnixSeconds(now + OVERLAP_SECONDS if before else 0),
            set_at=now,
        )
        self._store.put(client.client_id, self._seal(endpoint))
        self._changed(client, by, "webhook_set")
        return endpoint, shown(secret_of(self._master, salt))

    def remove(self, client_id: str, *, by: Agent) -> None:
        """Send a client nothing more. Raises ClientUnknown, WebhookUnknown."""
        client = self._clients.get(client_id)
        self.get(client_id)
        self._store.remove(client.client_id)
        self._changed(client, by, "webhook_removed")

    def get(self, client_id: str) -> Endpoint:
        """Raises WebhookUnknown."""
        endpoint = self._find(client_id)
        if endpoint is None:
            raise WebhookUnknown
        return endpoint

    def live(self, client_id: str) -> Endpoint | None:
        """Return the endpoint of a client that is not disabled."""
        client = self._clients.find(client_id)
        return None if client is None or client.disabled else self._find(client_id)

    def of_members(self, members: Collection[MemberId], topic: Topic) -> Sequence[Client]:
        """Return the clients of these members that want this topic."""
        return [
            client
            for client, endpoint in self._all()
            if client.member_id in members and topic in endpoint.topics
        ]

    def secrets_of(self, endpoint: Endpoint) -> Sequence[bytes]:
        """Return what signs now, the newest first."""
        salts = [endpoint.salt]
        if endpoint.previous_salt is not None and self._clock() < endpoint.previous_until:
            salts.append(endpoint.previous_salt)
        return [secret_of(self._master, salt) for salt in salts]

    def _all(self) -> Sequence[tuple[Client, Endpoint]]:
        with self._lock:
            until, found = self._remembered
        if time.monotonic() < until:
            return found
        pairs = []
        for client_id in self._store.client_ids():
            client, endpoint = self._clients.find(client_id), self._find(client_id)
            if client is not None and not client.disabled and endpoint is not None:
                pairs.append((client, endpoint))
        with self._lock:
            self._remembered = (time.monotonic() + REMEMBERED_SECONDS, pairs)
        return pairs

    def _find(self, client_id: str) -> Endpoint | None:
        sealed = self._store.get(client_id)
        return None if sealed is None else self._open(client_id, sealed)

    def _changed(self, client: Client, by: Agent, change: str) -> None:
        with self._lock:
            self._remembered = (0.0, ())
        self._audit.append(
            AuditEvent(
                type=codes.ACCOUNT_CHANGED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1000,
                actor=by,
                organisation=client.member_id,
                detail={"client": client.client_id, "change": change},
            )
        )

    def _seal(self, endpoint: Endpoint) -> bytes:
        previous = endpoint.previous_salt
        value = {
            "schema": SCHEMA_VERSION,
            "url": endpoint.url,
            "topics": sorted(endpoint.topics),
            "salt": endpoint.salt.hex(),
            "previous_salt": None if previous is None else previous.hex(),
            "previous_until": endpoint.previous_until,
            "set_at": endpoint.set_at,
        }
        return self._sealer.seal(json.dumps(value).encode(), subject=None, place=place_of(endpoint.client_id))

    def _open(self, client_id: str, sealed: bytes) -> Endpoint:
        value = json.loads(self._sealer.open(sealed, subject=None, place=place_of(client_id)))
        require_schema(value["schema"], SCHEMA_VERSION)
        previous = value["previous_salt"]
        return Endpoint(
            client_id=client_id,
            url=value["url"],
            topics=frozenset(Topic(topic) for topic in value["topics"]),
            salt=bytes.fromhex(value["salt"]),
            previous_salt=None if previous is None else bytes.fromhex(previous),
            previous_until=UnixSeconds(value["previous_until"]),
            set_at=UnixSeconds(value["set_at"]),
        )


def place_of(client_id: str) -> str:
    """Return where the webhook of a client is sealed for."""
    return f"webhooks/{client_id}"
