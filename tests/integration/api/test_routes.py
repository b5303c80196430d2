"""What holds for every route: who may try it, what each answer carries, what an error looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, cast

import httpx
import pytest

from backend.api.app import create_api
from backend.api.services import Services
from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import Patient, Service, assert_problem, raw, staff

Route = tuple[str, str]

# Routes without a token, on purpose; whoever adds one has to say so here.
OPEN: Final[frozenset[Route]] = frozenset(
    {
        ("GET", "/.well-known/document-jwks.json"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/cds-services"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/health/serving"),
        ("GET", "/metrics"),
        ("GET", "/v1/erasures/{erasure}/receipt"),  # to whoever has its code; else it asks for a token
        ("GET", "/v1/end-to-end/key"),
        ("GET", "/v1/ledger"),
        ("GET", "/v1/log/checkpoint"),
        ("GET", "/v1/log/key"),
        ("GET", "/v1/log/keys"),
        ("GET", "/v1/log/tile/{level}/{number}"),
        ("GET", "/v1/log/witnesses"),
        ("POST", "/v1/log/cosignatures"),  # only listed witnesses can: the signature is the proof
        ("GET", "/docs/errors"),
        ("GET", "/fhir/metadata"),
        ("GET", "/v1/notices"),
        ("GET", "/v1/notices/{notice}"),
        ("GET", "/v1/tables"),
        ("GET", "/v1/tables/words"),
        ("POST", "/oauth2/revoke"),  # a client proves itself with the request
        ("POST", "/oauth2/token"),
        ("GET", "/v1/auth/openid"),
        ("GET", "/v1/auth/openid/sign-out"),
        ("POST", "/v1/auth/openid/begin"),
        ("POST", "/v1/auth/openid/finish"),
        ("POST", "/v1/auth/openid/back-channel-logout"),  # the provider's signature is the proof
        ("POST", "/v1/auth/refresh"),
        ("POST", "/v1/auth/staff"),
        ("POST", "/v1/auth/wallet"),
        ("POST", "/v1/auth/wallet/challenge"),
        ("GET", "/v1/contact/unsubscribe/{token}"),
        ("POST", "/v1/contact/unsubscribe/{token}"),
        ("POST", "/v1/consents"),
        ("POST", "/v1/delegations"),
        ("POST", "/v1/enrolments/claims"),
        ("POST", "/v1/enrolments/claims/draft"),
        ("POST", "/v1/revocations"),
        # What was signed is the authority; a stop must not need a session.
        ("POST", "/v1/recovery/policies"),
        ("POST", "/v1/recovery/agreements"),
        ("POST", "/v1/recovery/acceptances"),
        ("POST", "/v1/recovery/vetoes"),
        ("POST", "/v1/encryption-keys/withdrawals"),
    }
)
ANY: Final = frozenset(
    {
        *("patient", "provider", "operator", "desk", "auditor", "stranger", "researcher", "board"),
        *("team administrator", "officer", "secretary"),
    }
)
# Who may try the others. A token never opens a record by itself: the read is decided as well.
MAY_TRY: Final[dict[Route, frozenset[str]]] = {
    ("POST", "/oauth2/introspect"): ANY,
    ("POST", "/v1/auth/sign-out"): ANY,
    ("GET", "/v1/auth/session"): ANY,
    ("GET", "/v1/organisations"): ANY,
    ("PUT", "/v1/auth/password"): ANY,
    ("POST", "/v1/auth/staff/account/challenge"): ANY,
    ("PUT", "/v1/auth/staff/account"): ANY,
    ("GET", "/v1/consent-requests"): ANY,
    ("POST", "/v1/labels"): ANY,
    ("POST", "/v1/notices"): frozenset({"operator"}),
    ("GET", "/v1/consent-requests/{request_id}"): ANY,
    ("POST", "/v1/abdm/consent-requests/init"): frozenset({"provider"}),
    ("POST", "/v1/abdm/consent-requests/status"): frozenset({"provider"}),
    ("POST", "/v1/abdm/consents/fetch"): frozenset({"provider"}),
    ("POST", "/v1/abdm/consents/on-notify"): frozenset({"provider"}),
    ("GET", "/v1/consents"): ANY,
    ("GET", "/v1/consents/{consent}"): ANY,
    ("GET", "/v1/consents/{consent}/receipt"): ANY,
    ("GET", "/v1/consents/{consent}/record"): ANY,
    ("POST", "/v1/members"): frozenset({"operator"}),
    ("POST", "/v1/members/custodians"): frozenset({"operator"}),
    ("GET", "/v1/members"): frozenset({"operator"}),
    ("GET", "/v1/members/{member}"): frozenset({"operator"}),
    ("POST", "/v1/members/{member}/suspend"): frozenset({"operator"}),
    ("POST", "/v1/members/{member}/reinstate"): frozenset({"operator"}),
    ("POST", "/v1/members/{member}/remove"): frozenset({"operator"}),
    ("PUT", "/v1/members/{member}/encryption-key"): ANY,
    ("GET", "/v1/members/{member}/encryption-key"): ANY,
    ("POST", "/v1/users"): frozenset({"operator"}),
    ("GET", "/v1/users"): frozenset({"operator"}),
    ("GET", "/v1/users/{user}"): frozenset({"operator"}),
    ("PUT", "/v1/users/{user}/state"): frozenset({"operator"}),
    ("PUT", "/v1/users/{user}/roles"): frozenset({"operator"}),
    ("PUT", "/v1/users/{user}/password"): frozenset({"operator"}),
    ("POST", "/v1/clients"): frozenset({"operator"}),
    ("GET", "/v1/clients"): frozenset({"operator"}),
    ("GET", "/v1/clients/{client}"): frozenset({"operator"}),
    ("PUT", "/v1/clients/{client}/state"): frozenset({"operator"}),
    ("POST", "/v1/clients/{client}/secret"): frozenset({"operator"}),
    ("PUT", "/v1/clients/{client}/assertion-keys"): frozenset({"operator"}),
    ("DELETE", "/v1/clients/{client}/assertion-keys"): frozenset({"operator"}),
    ("POST", "/v1/care-teams"): frozenset({"team administrator"}),
    ("GET", "/v1/care-teams"): ANY,
    ("GET", "/v1/care-teams/{team}"): ANY,
    ("POST", "/v1/care-teams/{team}/participants"): frozenset({"team administrator"}),
    ("DELETE", "/v1/care-teams/{team}/participants/{participant}"): frozenset({"team administrator"}),
    ("POST", "/v1/care-teams/{team}/close"): frozenset({"team administrator"}),
    ("GET", "/v1/care-teams/{team}/memberships/{digest}"): frozenset({"patient", "auditor"}),
    ("POST", "/v1/signing-keys"): frozenset({"operator"}),
    ("POST", "/v1/backups"): frozenset({"operator"}),
    ("GET", "/v1/backups"): frozenset({"operator"}),
    ("GET", "/v1/operations"): frozenset({"operator", "auditor"}),
    ("POST", "/v1/audit/key-epochs"): frozenset({"operator"}),
    ("GET", "/v1/audit/affected"): frozenset({"auditor", "officer"}),
    ("GET", "/v1/log/entries/{index}/proof"): frozenset({"auditor"}),
    ("GET", "/v1/log/entries/{index}/replay"): frozenset({"auditor"}),
    ("POST", "/v1/enrolments"): frozenset({"desk"}),
    ("POST", "/v1/revocations/guardianships"): frozenset({"desk"}),
    ("GET", "/v1/recovery/desk"): frozenset({"desk"}),
    ("POST", "/v1/recovery/confirmations"): frozenset({"desk"}),
    ("GET", "/v1/recovery"): frozenset({"patient"}),
    ("POST", "/v1/recovery/policies/draft"): frozenset({"patient"}),
    ("POST", "/v1/recovery/vetoes/draft"): frozenset({"patient"}),
    ("GET", "/v1/recovery/guarded"): ANY,
    ("GET", "/v1/recovery/claims"): ANY,
    ("POST", "/v1/recovery/agreements/draft"): ANY,
    ("POST", "/v1/recovery/acceptances/draft"): ANY,
    ("POST", "/v1/recovery/completions"): ANY,
    ("POST", "/v1/paper-consents"): frozenset({"desk"}),
    ("GET", "/v1/paper-consents"): frozenset({"desk"}),
    ("GET", "/v1/paper-consents/{paper}"): frozenset({"desk"}),
    ("GET", "/v1/paper-consents/{paper}/scan"): frozenset({"desk"}),
    ("POST", "/v1/paper-consents/{paper}/signatures"): frozenset({"desk"}),
    ("POST", "/v1/paper-consents/{paper}/stop"): frozenset({"desk"}),
    ("POST", "/v1/patients/search"): frozenset({"provider"}),
    ("POST", "/v1/consent-requests"): frozenset({"provider"}),
    ("POST", "/v1/consent-requests/{request_id}/draft"): frozenset({"patient"}),
    ("GET", "/v1/blocked-requesters"): frozenset({"patient"}),
    ("PUT", "/v1/blocked-requesters/{member}"): frozenset({"patient"}),
    ("DELETE", "/v1/blocked-requesters/{member}"): frozenset({"patient"}),
    ("GET", "/v1/contact"): frozenset({"patient"}),
    ("POST", "/v1/encryption-keys/draft"): frozenset({"patient"}),
    ("POST", "/v1/end-to-end/drafts"): frozenset({"patient"}),
    ("PUT", "/v1/end-to-end/records/{record}"): frozenset({"patient"}),
    ("POST", "/v1/end-to-end/slots"): frozenset({"patient"}),
    ("POST", "/v1/end-to-end/handovers/draft"): frozenset({"patient"}),
    ("POST", "/v1/end-to-end/handovers"): frozenset({"patient"}),
    ("GET", "/v1/portability/archive"): frozenset({"patient"}),
    ("PUT", "/v1/encryption-keys"): frozenset({"patient"}),
    ("GET", "/v1/encryption-keys"): frozenset({"patient"}),
    ("POST", "/v1/encryption-keys/withdrawals/draft"): frozenset({"patient"}),
    ("PUT", "/v1/contact"): frozenset({"patient"}),
    ("DELETE", "/v1/contact"): frozenset({"patient"}),
    ("POST", "/v1/contact/confirm"): frozenset({"patient"}),
    ("PUT", "/v1/clients/{client}/webhook"): frozenset({"operator"}),
    ("GET", "/v1/clients/{client}/webhook"): frozenset({"operator"}),
    ("DELETE", "/v1/clients/{client}/webhook"): frozenset({"operator"}),
    ("GET", "/v1/webhook-deliveries"): frozenset({"operator"}),
    ("POST", "/v1/webhook-deliveries/{message}/retry"): frozenset({"operator"}),
    ("GET", "/v1/notices-of-revocation"): ANY,
    ("POST", "/v1/notices-of-revocation/{notice}/ack"): ANY,
    ("POST", "/v1/consents/draft"): frozenset({"patient"}),
    ("POST", "/v1/consents/import"): frozenset({"patient"}),
    ("POST", "/v1/consents/preview"): frozenset({"patient"}),
    ("GET", "/v1/overview"): frozenset({"patient"}),
    ("POST", "/v1/delegations/draft"): frozenset({"patient"}),
    ("POST", "/v1/revocations/draft"): frozenset({"patient"}),
    ("POST", "/v1/decisions"): frozenset({"patient", "provider", "auditor", "officer"}),
    ("POST", "/cds-services/patient-consent-consult"): frozenset(
        {"patient", "provider", "auditor", "officer"}
    ),
    ("POST", "/v1/xacml"): frozenset({"patient", "provider", "auditor", "officer"}),
    ("POST", "/v1/erasures"): frozenset({"patient", "officer"}),
    ("GET", "/v1/erasures"): frozenset({"patient", "officer"}),
    ("GET", "/v1/erasures/{erasure}"): frozenset({"patient", "officer"}),
    ("POST", "/v1/erasures/{erasure}/cancel"): frozenset({"patient", "officer"}),
    ("POST", "/v1/legal-holds"): frozenset({"officer"}),
    ("GET", "/v1/legal-holds"): frozenset({"patient", "officer"}),
    ("POST", "/v1/legal-holds/{hold}/lift"): frozenset({"officer"}),
    ("POST", "/v1/records"): frozenset({"provider"}),
    ("PUT", "/v1/records/{record}"): frozenset({"provider"}),
    ("GET", "/v1/records"): frozenset({"patient", "provider"}),
    ("GET", "/v1/records/{record}"): frozenset({"patient", "provider"}),
    ("GET", "/v1/records/{record}/segments/{segment}"): frozenset({"patient", "provider"}),
    ("GET", "/v1/accesses"): frozenset({"patient"}),
    ("GET", "/v1/accesses/proof"): frozenset({"patient"}),
    ("GET", "/v1/accesses/{index}/proof"): frozenset({"patient"}),
    ("GET", "/v1/log/entries"): frozenset({"auditor"}),
    ("GET", "/fhir/AuditEvent"): frozenset({"patient", "auditor"}),
    ("POST", "/fhir/AuditEvent/_search"): frozenset({"patient", "auditor"}),
    ("GET", "/fhir/AuditEvent/{entry}"): frozenset({"patient", "auditor"}),
    ("POST", "/v1/studies"): frozenset({"researcher"}),
    ("GET", "/v1/studies"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/studies/{study}"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/studies/{study}/documents"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("PUT", "/v1/studies/{study}/documents"): frozenset({"researcher"}),
    ("GET", "/v1/studies/{study}/documents/{document}"): frozenset(
        {"researcher", "board", "secretary", "patient"}
    ),
    ("GET", "/v1/studies/{study}/questions"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("POST", "/v1/studies/{study}/questions/{number}/answer"): frozenset({"researcher"}),
    ("POST", "/v1/studies/{study}/closing"): frozenset({"researcher"}),
    ("GET", "/v1/studies/{study}/difference"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/studies/{study}/removals"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/studies/{study}/letter"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/board/members"): frozenset({"board", "secretary"}),
    ("GET", "/v1/board/studies"): frozenset({"board", "secretary"}),
    ("GET", "/v1/board/studies/{study}"): frozenset({"board", "secretary"}),
    ("POST", "/v1/board/studies/{study}/preparation"): frozenset({"secretary"}),
    ("PUT", "/v1/board/studies/{study}/conditions"): frozenset({"board", "secretary"}),
    ("POST", "/v1/board/studies/{study}/conditions/{condition}/met"): frozenset({"secretary"}),
    ("POST", "/v1/board/studies/{study}/questions"): frozenset({"board", "secretary"}),
    ("POST", "/v1/board/studies/{study}/recusals"): frozenset({"board"}),
    ("GET", "/v1/board/studies/{study}/motions/{kind}"): frozenset({"board"}),
    ("POST", "/v1/board/studies/{study}/motions/{kind}"): frozenset({"board"}),
    ("GET", "/v1/board/studies/{study}/suspension"): frozenset({"board"}),
    ("POST", "/v1/board/studies/{study}/suspension"): frozenset({"board"}),
    ("POST", "/v1/board/studies/{study}/closing"): frozenset({"secretary"}),
    ("GET", "/v1/studies/uses"): frozenset({"patient"}),
    ("GET", "/v1/privacy-budget"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/privacy-budget/own"): frozenset({"researcher"}),
    ("GET", "/v1/privacy-budget/studies/{study}"): frozenset({"researcher"}),
    ("GET", "/v1/studies/{study}/permit-draft"): frozenset({"board"}),
    ("POST", "/v1/studies/{study}/approval"): frozenset({"board"}),
    ("POST", "/v1/studies/{study}/runs"): frozenset({"researcher"}),
    ("GET", "/v1/studies/{study}/runs"): frozenset({"researcher"}),
    ("GET", "/v1/studies/{study}/runs/{run}"): frozenset({"researcher"}),
    ("GET", "/v1/studies/{study}/runs/{run}/dataset"): frozenset({"researcher"}),
    ("GET", "/v1/studies/{study}/runs/{run}/fhir"): frozenset({"researcher"}),
    ("GET", "/v1/catalogue"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/catalogue/views/{name}"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("POST", "/v1/catalogue/draws"): frozenset({"operator"}),
    ("POST", "/v1/catalogue/quotes"): frozenset({"researcher"}),
    ("POST", "/v1/catalogue/samples"): frozenset({"researcher", "board", "secretary", "patient"}),
    ("GET", "/v1/escrows"): frozenset({"researcher", "board", "secretary", "patient", "operator"}),
    ("GET", "/v1/escrows/terms"): frozenset({"researcher", "board", "secretary", "patient", "operator"}),
    ("POST", "/v1/escrows/invoices"): frozenset({"operator"}),
    ("POST", "/v1/escrows/draft"): frozenset({"researcher"}),
    ("POST", "/v1/escrows/signed"): frozenset({"researcher"}),
    ("POST", "/v1/escrows/test-tokens"): frozenset({"operator"}),
    ("POST", "/v1/escrows/{study}/{escrow}/release"): frozenset({"operator"}),
    ("POST", "/v1/escrows/{study}/{escrow}/refund"): frozenset({"operator", "researcher"}),
    ("GET", "/v1/payouts"): frozenset({"researcher", "board", "secretary", "patient", "operator"}),
    ("POST", "/v1/payouts"): frozenset({"operator"}),
    ("GET", "/v1/payouts/results"): frozenset({"operator"}),
    ("GET", "/v1/payouts/{payout}"): frozenset({"researcher", "board", "secretary", "patient", "operator"}),
    ("GET", "/v1/payouts/{payout}/objection-draft"): frozenset({"researcher", "board"}),
    ("POST", "/v1/payouts/{payout}/objection"): frozenset({"researcher", "board"}),
    ("GET", "/v1/payouts/{payout}/settlement-draft"): frozenset({"board"}),
    ("POST", "/v1/payouts/{payout}/settlement"): frozenset({"board"}),
    ("POST", "/v1/payouts/{payout}/close"): frozenset({"operator"}),
    ("GET", "/v1/payouts/donations/draft"): frozenset({"board"}),
    ("POST", "/v1/payouts/donations"): frozenset({"board"}),
    ("GET", "/v1/payments"): frozenset({"patient"}),
    ("GET", "/v1/payments/proof"): frozenset({"patient"}),
    ("POST", "/v1/payments/payees/draft"): frozenset({"patient"}),
    ("POST", "/v1/payments/payees"): frozenset({"patient"}),
    ("POST", "/v1/payments/claims"): frozenset({"patient"}),
}
# For browsers and wallets, not for programs; all open.
UNDESCRIBED: Final = frozenset(
    {
        "/rpc",
        *("/", "/app", "/app/{page}", "/assets/{file}", "/favicon.svg"),
        *("/docs", "/docs/oauth2-redirect", "/openapi.json"),
    }
)
BODILESS: Final = frozenset(
    {
        ("POST", "/v1/auth/sign-out"),
        ("POST", "/v1/backups"),
        ("POST", "/v1/board/studies/{study}/conditions/{condition}/met"),
        ("POST", "/v1/catalogue/draws"),
        ("DELETE", "/v1/clients/{client}/assertion-keys"),
        ("POST", "/v1/care-teams/{team}/close"),
        ("POST", "/v1/erasures/{erasure}/cancel"),
        ("POST", "/v1/legal-holds/{hold}/lift"),
        ("POST", "/v1/audit/key-epochs"),
        ("POST", "/v1/escrows/{study}/{escrow}/release"),
        ("POST", "/v1/escrows/{study}/{escrow}/refund"),
        ("POST", "/v1/payouts/{payout}/close"),
        ("DELETE", "/v1/care-teams/{team}/participants/{participant}"),
    }
)
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def _routes() -> list[Route]:
    app = create_api(cast(Services, object()))
    return sorted(
        (method.upper(), path) for path, operations in app.openapi()["paths"].items() for method in operations
    )


def _paths(routes: Iterable[Any]) -> set[str]:
    """Every path that is served, also those of routers within the application."""
    found: set[str] = set()
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            found |= _paths(router.routes)
        else:
            found.add(route.path.replace(":path}", "}"))  # as the description has it
    return found


def _path(template: str) -> str:
    values = {"{record}": "0" * 32, "{segment}": "s0000", "{index}": "0"}
    path = template
    for name, value in values.items():
        path = path.replace(name, value)
    return re.sub(r"\{[a-z_]+\}", "0x" + "00" * 32, path)


def _try(api: Api, route: Route) -> httpx.Response:
    method, template = route
    body: dict[str, Any] = {} if method == "GET" else {"json": {}}
    return raw(api, method, _path(template), **body)


@pytest.fixture(scope="module")
def tokens(
    service: Service,
    operator: Api,
    desk: Api,
    auditor: Api,
    clinic: Provider,
    patient: Patient,
    stranger: Wallet,
) -> dict[str, Api]:
    return {
        "operator": operator,
        "desk": desk,
        "auditor": auditor,
        "provider": clinic.api,
        "patient": patient.api,
        "stranger": stranger.api,
        "researcher": staff(service, "researcher", Role.RESEARCHER),
        "board": staff(service, "board", Role.ETHICS_BOARD),
        "secretary": staff(service, "secretary", Role.BOARD_SECRETARY),
        "team administrator": staff(service, "team-administrator", Role.TEAM_ADMINISTRATOR),
        "officer": staff(service, "privacy-officer", Role.PRIVACY_OFFICER),
    }


def test_routes_each_is_open_on_purpose_or_lists_who_may_try() -> None:
    assert set(_routes()) == OPEN | set(MAY_TRY)
    assert OPEN.isdisjoint(MAY_TRY)


def test_routes_that_the_description_leaves_out_are_these() -> None:
    described = {path for _, path in _routes()}
    assert _paths(create_api(cast(Services, object())).routes) - described == UNDESCRIBED


@pytest.mark.parametrize("route", sorted(MAY_TRY), ids=" ".join)
def test_route_without_token_answers_401(service: Service, route: Route) -> None:
    response = _try(service.anyone(), route)
    assert_problem(response, 401, "not_authenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", sorted(MAY_TRY), ids=" ".join)
def test_route_with_token_of_another_role_answers_403(tokens: dict[str, Api], route: Route) -> None:
    for role in sorted(ANY - MAY_TRY[route]):
        assert_problem(_try(tokens[role], route), 403, "scope_missing")


@pytest.mark.parametrize("route", sorted(set(MAY_TRY) - {("POST", "/v1/auth/sign-out")}), ids=" ".join)
def test_route_with_token_of_its_role_is_not_refused_for_its_scope(
    tokens: dict[str, Api], route: Route
) -> None:
    for role in sorted(MAY_TRY[route]):
        response = _try(tokens[role], route)
        assert response.status_code != 401
        assert '"code":"scope_missing"' not in response.text


@pytest.mark.parametrize(
    "route", [route for route in _routes() if route[0] != "GET" and route not in BODILESS], ids=" ".join
)
def test_route_given_malformed_json_answers_4xx_and_nothing_worse(
    tokens: dict[str, Api], route: Route
) -> None:
    for api in tokens.values():
        response = raw(
            api,
            route[0],
            _path(route[1]),
            content=b'{"a": [1, 2',
            headers={"Content-Type": "application/json"},
        )
        assert 400 <= response.status_code < 500, response.text


@pytest.mark.parametrize(
    "content", [b"{", b"[1,]", b"\xff\xfe", b"nul", b'{"account": "0x', b"{'account': 1}"]
)
def test_body_that_is_not_json_answers_malformed_json(service: Service, content: bytes) -> None:
    response = raw(
        service.anyone(),
        "POST",
        "/v1/auth/wallet/challenge",
        content=content,
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 400
    assert response.json()["code"] in ("malformed_json", "malformed_request")
    assert_problem(response, 400, response.json()["code"])


def test_body_with_a_member_nobody_asked_for_is_refused_and_the_member_named(desk: Api) -> None:
    body = {"record_number": "X1", "name": "N", "gardians": []}
    problem = assert_problem(raw(desk, "POST", "/v1/enrolments", json=body), 422, "invalid_input")
    assert problem["field"] == "body.gardians"


@pytest.mark.parametrize("name", ["\ud800", "\x00", "a" * 10_000])
def test_body_with_a_hostile_member_name_is_refused(desk: Api, name: str) -> None:
    content = json.dumps({"record_number": "X1", "name": "N", name: 1})
    response = raw(
        desk, "POST", "/v1/enrolments", content=content, headers={"Content-Type": "application/json"}
    )
    assert_problem(response, 422, "invalid_input")
    assert len(response.content) < 2000


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/records/../../etc/passwd", 404, "not_found"),
        ("DELETE", "/v1/consents", 405, "method_not_allowed"),
        ("GET", "/v1/accesses", 401, "not_authenticated"),
        ("POST", "/v1/revocations", 422, "invalid_input"),
        ("GET", "/v1/tables", 200, None),
        ("GET", "/metrics", 200, None),
        ("GET", "/health/live", 200, None),
    ],
)
def test_answer_of_every_kind_carries_the_security_headers(
    service: Service, method: str, path: str, status: int, code: str | None
) -> None:
    response = service.http.request(method, path)
    assert response.status_code == status
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value], name
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])
    assert "server" not in response.headers
    if code is not None:
        assert_problem(response, status, code)


def test_unexpected_failure_answers_500_without_what_failed(
    service: Service, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of " + patient.record_number)

    monkeypatch.setattr(service.world.services.accesses, "page", fail)
    response = raw(patient.api, "GET", "/v1/accesses", params={"subject": patient.subject})
    assert_problem(response, 500, "internal")
    assert patient.record_number not in response.text
    assert response.headers["x-frame-options"] == "DENY"


def test_documentation_page_may_load_its_script_and_nothing_else_may(service: Service) -> None:
    assert "cdn.jsdelivr.net" in service.http.get("/docs").headers["content-security-policy"]
    assert "cdn.jsdelivr.net" not in service.http.get("/openapi.json").headers["content-security-policy"]


def test_metrics_name_routes_and_hold_no_id(service: Service, patient: Patient, clinic: Provider) -> None:
    raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})
    raw(clinic.api, "GET", f"/v1/records/{patient.record_id}/segments/s0001", params={"purpose": "TREAT"})
    raw(patient.api, "GET", "/v1/consents", params={"subject": patient.subject})
    service.http.get(f"/nowhere/{patient.record_id}")
    text = service.http.get("/metrics").text
    assert 'route="/v1/records/{record}"' in text
    secrets = [patient.record_id, patient.subject, patient.record_number, patient.wallet.address]
    assert not [secret for secret in secrets if secret.lower() in text.lower()]
    assert not re.search("[0-9a-f]{24,}", text)


def test_unknown_method_cannot_add_metrics_without_end(service: Service) -> None:
    for number in range(3):
        service.http.request(f"MADEUP{number}", "/v1/tables")
    assert "MADEUP" not in service.http.get("/metrics").text
