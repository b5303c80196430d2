"""What a principal may ask for now: computed at sign-in and again at each refresh."""

from __future__ import annotations

from backend.identity.ports import ActsFor, ClientStore, EnrolmentStore, StaffStore
from backend.identity.roles import Role, Scope, scopes_of
from backend.identity.seal import Sealer
from backend.identity.types import Client, Grant, PrincipalKind, StaffAccount
from backend.recent import RecentCache
from backend.types import Address, SubjectId


class Standing:
    def __init__(
        self,
        *,
        staff: StaffStore,
        clients: ClientStore,
        enrolments: EnrolmentStore,
        acts_for: ActsFor,
        sealer: Sealer,
    ) -> None:
        self._staff = staff
        self._clients = clients
        self._enrolments = enrolments
        self._acts_for = acts_for
        self._sealer = sealer
        self._subjects: RecentCache[Address, frozenset[SubjectId]] = RecentCache()

    def subjects_of(self, account: Address) -> frozenset[SubjectId]:
        """Return the subjects the account enrolled as or acts for; at most two seconds old.

        Says whose affairs it may look at, not what it may do: consent asks the chain for that.
        """
        return self._subjects.get(account, lambda: self._load_subjects(account))

    def own_subjects(self, account: Address) -> frozenset[SubjectId]:
        """Return the subjects the account enrolled as itself; a child's guardian is not among them."""
        return frozenset(
            enrolment.subject_id
            for enrolment in self._enrolments.by_account(account)
            if not self._sealer.check(enrolment).is_child  # a guardian's power ends on the chain, not here
        )

    def changed(self) -> None:
        """Forget what was looked up: an enrolment was claimed."""
        self._subjects.forget()

    def of_wallet(self, account: Address) -> Grant:
        """A known account is a patient; any other may only claim an enrolment."""
        claimed = [self._sealer.check(enrolment) for enrolment in self._enrolments.by_account(account)]
        known = claimed or self.subjects_of(account)
        roles = frozenset({Role.PATIENT}) if known else frozenset[Role]()
        return Grant(
            kind=PrincipalKind.WALLET,
            id=account,
            roles=roles,
            scopes=scopes_of(roles) | {Scope.ENROL},
            account=account,
        )

    def of_staff(self, account: StaffAccount) -> Grant:
        return Grant(
            kind=PrincipalKind.STAFF,
            id=account.staff_id,
            roles=account.roles,
            scopes=scopes_of(account.roles),
            member_id=account.member_id,
            organisations=account.organisations,
            account=account.account,
        )

    def of_client(self, client: Client, scopes: frozenset[Scope]) -> Grant:
        return Grant(
            kind=PrincipalKind.CLIENT,
            id=client.client_id,
            roles=client.roles,
            scopes=scopes & client.scopes & scopes_of(client.roles),
            member_id=client.member_id,
            organisations=client.organisations,
        )

    def again(self, grant: Grant) -> Grant | None:
        """Return the grant as it would be given now; None when its principal may no longer sign in."""
        match grant.kind:
            case PrincipalKind.WALLET:
                return self.of_wallet(Address(grant.id))
            case PrincipalKind.STAFF:
                account = self._staff.get(grant.id)
                if account is None or self._sealer.check(account).disabled:
                    return None
                return self.of_staff(account)
            case PrincipalKind.CLIENT:
                client = self._clients.get(grant.id)
                if client is None or self._sealer.check(client).disabled:
                    return None
                return self.of_client(client, grant.scopes)

    def _load_subjects(self, account: Address) -> frozenset[SubjectId]:
        return self.own_subjects(account) | frozenset(self._acts_for(account))
