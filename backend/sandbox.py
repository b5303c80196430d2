"""Sample patients that answer by themselves, for an integrator's first hour. Development only.

They grant whatever they are asked for, with real signatures of the keys that the first run left beside the
data. The terminal says so; in production there are no such keys.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data

from backend.bootstrap import World
from backend.consent.drafting import wish_of
from backend.consent.typed_data import typed_data
from backend.recurring import Recurring
from backend.samples import SAMPLES_FILE
from backend.types import SubjectId, UnixSeconds

_LOG = logging.getLogger("assent.sandbox")
EVERY_SECONDS: Final = 2.0
MAX_REQUESTS: Final = 100


class Sandbox(Recurring):
    """Looks for open requests to the sample patients and grants them."""

    def __init__(self, world: World) -> None:
        super().__init__(
            name="sandbox", every_seconds=EVERY_SECONDS, log=_LOG, failing="sandbox", waits_first=True
        )
        self._services = world.services
        self._patients: list[dict[str, Any]] = json.loads(
            (world.stores.directory.root / SAMPLES_FILE).read_text()
        )

    def answer_all(self) -> int:
        """Grant every open request once; return how many were granted."""
        return sum(self._answer(patient) for patient in self._patients)

    def _round(self) -> None:
        self.answer_all()

    def _answer(self, patient: dict[str, Any]) -> int:
        services, subject = self._services, SubjectId(int(patient["subject"], 16))
        wallet = Account.from_key(patient["private_key"])
        granted = 0
        for request in services.requests.of_subject(subject, limit=MAX_REQUESTS):
            if request.state != "requested":
                continue
            grant = services.drafter.grant(
                wish_of(request),
                subject=subject,
                epoch=services.evidence.subject(subject).epoch,
                now=UnixSeconds(services.clock()),
                language="en",
                request=request.request_id,
            )
            message = encode_typed_data(full_message=typed_data(grant, services.domain))
            services.consents.submit(grant, bytes(wallet.sign_message(message).signature))
            granted += 1
        return granted
