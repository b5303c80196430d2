"""Who gets a piece of news, and how: systems of organisations by webhook, the patient by mail."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from backend.notices.delivering import Deliveries
from backend.notices.endpoints import Endpoints
from backend.notices.news import News, digest
from backend.notices.types import Message, Told
from backend.types import MemberId


class Patients(Protocol):
    def tell(self, news: News) -> None:
        """Have the patient told, who may not want it. The same news again changes nothing."""


class Audience:
    """What the custodian's systems are told stands for the patient, so the patient is told it, too.

    ``party_of``: the organisation of a grantee that is a care team, else the grantee.
    """

    def __init__(
        self,
        *,
        tenant: MemberId,
        endpoints: Endpoints,
        deliveries: Deliveries,
        patients: Patients,
        party_of: Callable[[MemberId], MemberId],
    ) -> None:
        self._tenant = tenant
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._patients = patients
        self._party_of = party_of

    def tell(self, news: News, *others: MemberId) -> None:
        """Tell the custodian's systems, the patient, and the systems of the ``others``."""
        self._patients.tell(news)
        self.tell_systems(news, {self._tenant, *map(self._party_of, others)})

    def tell_systems(self, news: News, members: Collection[MemberId]) -> None:
        for client in self._endpoints.of_members(members, news.topic):
            self._deliveries.put(news.message(client.client_id))

    def tell_member(self, told: Told) -> None:
        """Tell the systems of one member that want this topic."""
        for client in self._endpoints.of_members({told.member}, told.topic):
            message_id = f"msg_{digest(told.topic, told.key, client.client_id)}"
            self._deliveries.put(
                Message(message_id, client.client_id, told.topic, told.body, notice_id=told.notice_id)
            )
