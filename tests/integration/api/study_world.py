"""A study with patients who consented to it, its researcher and its board, on a running service."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import PASSWORD, Patient, Service, enrol, open_service, provider, staff

K = 5
PATIENTS = 6


@dataclass(slots=True)
class StudyWorld:
    """``outsider`` consented to nothing."""

    service: Service
    operator: Api
    researcher: Provider
    researcher_account: Any
    board: Wallet
    board_api: Api
    patients: list[Patient]
    outsider: Patient

    def approved_study(self, *, days: float = 90, **changes: Any) -> str:
        """Propose a study and have it permitted; return its id."""
        study = str(self.researcher.api.post("/v1/studies", proposal(days=days, **changes))["study_id"])
        self.permit(study)
        return study

    def permit(self, study: str) -> None:
        """Have the board sign the permit."""
        draft = self.board_api.get(f"/v1/studies/{study}/permit-draft")["typed_data"]
        signature = self.board.sign_typed(draft)
        body = {"submit_by": draft["message"]["submitBy"], "signature": signature}
        assert self.board_api.post(f"/v1/studies/{study}/approval", body)["state"] == "approved"

    def run(self, study: str) -> dict[str, Any]:
        found: dict[str, Any] = self.researcher.api.post(f"/v1/studies/{study}/runs")
        return found

    def fund(self, study: str, amount: int) -> dict[str, Any]:
        """Pay by invoice; return the escrow."""
        body = {"study": study, "amount": str(amount), "invoice": f"INV-{secrets.token_hex(6)}"}
        found: dict[str, Any] = self.operator.post("/v1/escrows/invoices", body)
        return found

    def propose(self, study: str, escrow: str, result: str, **wanted: Any) -> dict[str, Any]:
        body = {"study": study, "escrow": escrow, "result": result, **(wanted or {"per_patient": "250"})}
        found: dict[str, Any] = self.operator.post("/v1/payouts", body)
        return found

    def name_payee(self, patient: Patient, study: str, account: str, kind: str = "own") -> dict[str, Any]:
        """Sign and send where a patient is paid."""
        wish = {"subject": patient.subject, "study": study, "account": account, "kind": kind}
        draft = patient.api.post("/v1/payments/payees/draft", wish)
        named: dict[str, Any] = patient.api.post(
            "/v1/payments/payees",
            {**wish, "number": draft["number"], "signature": signed_text(patient.wallet, draft["text"])},
        )
        return named

    def payments(self, patient: Patient, study: str) -> list[dict[str, Any]]:
        found = patient.api.get("/v1/payments", subject=patient.subject)
        return [payment for payment in found if payment["study"] == study]

    def standing(self, patient: Patient, study: str) -> str:
        (payment,) = self.payments(patient, study)
        return str(payment["standing"])

    def balance(self, account: str) -> int:
        from backend.adapters.ledger.erc20 import Token  # noqa: PLC0415 - of the test's own look at the chain

        stores = self.service.world.stores
        token = Token(stores.money.token, stores.chain)  # type: ignore[arg-type]
        return token.balance(account, block=stores.chain.view().head_number)  # type: ignore[arg-type]

    def mine(self) -> None:
        """Have a block made, so that the chain's clock goes on."""
        stores = self.service.world.stores
        stores.money.allow(0)

    def opens(self, round_: str) -> None:
        """Wait until a payout may be claimed."""
        self._wait(lambda: self._time(round_, "opens_at"))

    def closes(self, round_: str) -> None:
        """Wait until it may no longer be claimed."""
        self._wait(lambda: self._time(round_, "closes_at"))

    def _time(self, round_: str, member: str) -> int:
        payout = self.operator.get(f"/v1/payouts/{round_}")
        return int(datetime.fromisoformat(payout[member]).timestamp())

    def _wait(self, when: Callable[[], int]) -> None:
        deadline = time.monotonic() + 60
        while self.service.world.stores.money.now() < when():
            assert time.monotonic() < deadline, "the chain's clock stands still"
            time.sleep(0.2)
            self.mine()


def new_account() -> str:
    return str(Account.create().address)


def signed_text(wallet: Wallet, text: str) -> str:
    """``personal_sign`` of the wallet."""
    return "0x" + bytes(wallet.account.sign_message(encode_defunct(text=text)).signature).hex()


@contextmanager
def open_study_world(directory: Path, *, patients: int = PATIENTS, **options: Any) -> Iterator[StudyWorld]:
    """Open a service with the people in it."""
    with open_service(directory, **options) as service:
        operator = staff(service, "study-operator", Role.OPERATOR, Role.IDENTITY_DESK)
        tenant = "0x" + service.world.stores.tenant.hex()
        hospital = provider(service, operator, "hospital", tenant)
        people = [enrol(service, operator, hospital, number) for number in range(patients + 1)]
        account = Account.create()
        researcher = _researcher(service, operator, account.address)
        for patient in people[:-1]:
            consent(patient, researcher.member_id)
        board = Wallet(service.anyone())
        yield StudyWorld(
            service,
            operator,
            researcher,
            account,
            board,
            _board(service, operator, board),
            people[:-1],
            people[-1],
        )


def consent(patient: Patient, researcher: str) -> str:
    recorded = patient.wallet.consent(
        kind="permit",
        grantee=researcher,
        purposes=["HRESCH"],
        categories=["demographics", "conditions", "laboratory"],
        actions=["compute"],
        research={"duo": ["DUO:0000042"], "minimum_cohort": K, "epsilon_cap": 10},
    )
    return str(recorded["consent_id"])


def proposal(*, days: float, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "title": f"Sex of patients {secrets.token_hex(3)}",
        "purpose": "HRESCH",
        "duo": ["DUO:0000042"],
        "variables": [{"name": "sex", "kind": "sex", "role": "quasi"}],
        "outputs": [{"kind": "count", "name": "women", "where": [{"variable": "sex", "levels": ["female"]}]}],
        "not_before": (now - timedelta(days=1)).isoformat(),
        "not_after": (now + timedelta(days=days)).isoformat(),
        "epsilon": 0.2,
        "runs": 2,
        "minimum_cohort": K,
        **changes,
    }


def _researcher(service: Service, operator: Api, account: str) -> Provider:
    body = {"name": "Institute", "roles": ["researcher"], "account": account}
    member = operator.post("/v1/members", body)["member_id"]
    client = operator.post("/v1/clients", {"name": "workbench", "roles": ["researcher"], "member_id": member})
    found = Provider(service.anyone(), client["client_id"], client["client_secret"], member)
    found.sign_in()
    return found


def _board(service: Service, operator: Api, wallet: Wallet) -> Api:
    body = {"name": "Ethics board", "roles": ["ethics_board"], "account": wallet.address}
    member = operator.post("/v1/members", body)["member_id"]
    operator.post(
        "/v1/users",
        {
            "username": "board",
            "password": PASSWORD,
            "roles": ["ethics_board"],
            "member_id": member,
            "account": wallet.address,
        },
    )
    api = service.anyone()
    api.token = api.post("/v1/auth/staff", {"username": "board", "password": PASSWORD})["access_token"]
    return api
