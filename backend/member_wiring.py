"""Builds what admits, stops and lists members, and their care teams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.adapters.index.care_team_rows import MongoCareTeamRows
from backend.adapters.index.member_names import SealedMemberNames
from backend.api.metrics import publish_expiring
from backend.audit.log import AuditLog
from backend.consent.care_team_shelf import CareTeamShelf
from backend.consent.care_teams import CareTeams
from backend.consent.member_admissions import MemberAdmissions
from backend.consent.member_book import MemberBook
from backend.consent.member_stops import MemberStops
from backend.consent.member_watch import ExpiryWatch
from backend.consent.restrictions import RestrictionQueue
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.sealed import DocumentSealer
from backend.stores import Stores


@dataclass(frozen=True, slots=True)
class Members:
    stops: MemberStops
    admissions: MemberAdmissions
    book: MemberBook
    watch: ExpiryWatch  # not started
    care_teams: CareTeams


def open_members(
    stores: Stores,
    *,
    sealer: DocumentSealer,
    restrictions: RestrictionQueue,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    clock: Callable[[], int],
) -> Members:
    """Return the services, whose steps the outbox then knows."""
    names = SealedMemberNames(stores.database, sealer)
    book = MemberBook(registry=stores.participants, names=names, outbox=outbox, clock=clock)
    return Members(
        stops=MemberStops(
            tenant=stores.tenant,
            registry=stores.participants,
            restrictions=restrictions,
            outbox=outbox,
            driver=driver,
            audit=log,
            clock=clock,
        ),
        admissions=MemberAdmissions(
            registry=stores.participants,
            names=names,
            outbox=outbox,
            driver=driver,
            audit=log,
            delay_seconds=stores.deployment.admission_delay_seconds,
            clock=clock,
        ),
        book=book,
        watch=ExpiryWatch(book=book, publish=publish_expiring, clock=clock),
        care_teams=CareTeams(
            shelf=CareTeamShelf(rows=MongoCareTeamRows(stores.database), keys=stores.keys, documents=sealer),
            audit=log,
            clock=clock,
        ),
    )
