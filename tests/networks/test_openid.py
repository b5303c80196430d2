"""Staff and systems sign in with a real Keycloak: roles, keys that are replaced, forgeries, outages."""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, Page, Request, expect

from backend.adapters.process import free_port
from backend.demo.actors import Api
from backend.identity.roles import Role
from scripts.keycloak import run as keycloak_run
from scripts.keycloak.run import COMMAND, Keycloak, mapping_for, running
from tests.browser import conftest as pages
from tests.browser.test_looks import check
from tests.integration.api.world import Service, assert_problem, open_service, raw, staff
from tests.support.components import require

pytestmark = pytest.mark.timeout(900)
PASSWORD: Final = "correct horse battery staple"
EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
CALLED: Final = "Hospital account"
SKEW_SECONDS: Final = 30

browser = pages.browser


@dataclass
class Site:
    """A service and its provider."""

    service: Service
    keycloak: Keycloak
    people: dict[str, str] = field(default_factory=dict)  # name -> sub

    def person(self, name: str, *roles: str) -> str:
        self.people[name] = self.keycloak.add_person(name, PASSWORD, *roles)
        return self.people[name]

    def token(self, client: str = "lab-system", secret: str | None = None, **form: str) -> str:
        """A token that Keycloak gives a client, for itself unless ``form`` says otherwise."""
        whole = {"grant_type": "client_credentials", **form}
        answer = httpx.post(
            f"{self.keycloak.issuer}/protocol/openid-connect/token",
            data=whole,
            auth=(client, secret or self.keycloak.lab_secret),
        )
        return str(answer.raise_for_status().json()["access_token"])

    def exchange(self, token: str, **form: str) -> httpx.Response:
        whole = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN, **form}
        return self.service.http.post("/oauth2/token", data=whole)

    def client(self, client_id: str) -> dict[str, Any]:
        (found,) = self.keycloak.admin("GET", "/assent/clients", params={"clientId": client_id}).json()
        return dict(found)

    @contextmanager
    def changed(self, client_id: str, **changes: Any) -> Iterator[None]:
        """A client of the realm with other settings, until the block ends."""
        before = self.client(client_id)
        path = f"/assent/clients/{before['id']}"
        self.keycloak.admin("PUT", path, json={**before, **changes})
        try:
            yield
        finally:
            self.keycloak.admin("PUT", path, json=before)


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    if keycloak_run.home() is None or shutil.which("java") is None:
        reason = f"no Keycloak on this machine; with Java 17 and Maven get it with: {COMMAND}"
        if os.environ.get("CI") == "true" and shutil.which("java") and shutil.which("mvn"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("keycloak") / "log") as found:
        yield found


@pytest.fixture(scope="session")
def site(keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require((pages.PAGES / "index.html").exists(), "the pages are not built", "make pages")
    port = free_port()
    keycloak.make_realm(f"http://localhost:{port}")
    folder = tmp_path_factory.mktemp("openid")
    mapping, secret = folder / "mapping.json", folder / "secret"
    mapping.write_text(json.dumps(mapping_for(keycloak)))
    secret.write_text(keycloak.pages_secret + "\n")
    with open_service(
        tmp_path_factory.mktemp("service"),
        host="localhost",
        port=port,
        pages=pages.PAGES,
        openid_issuer=keycloak.issuer,
        openid_client_id="assent-pages",
        openid_client_secret_file=secret,
        openid_mapping=mapping,
        openid_name=CALLED,
    ) as service:
        yield Site(service, keycloak)


@pytest.fixture(scope="session")
def operator(site: Site) -> Api:
    return staff(site.service, "local-operator", Role.OPERATOR, Role.AUDITOR)


@dataclass
class Visit:
    """Somebody at a browser. ``strangers``: what a page of ours asked of anybody else; stays empty."""

    page: Page
    site: Site
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.context.on("request", self._watch)
        self.page.on(
            "console",
            lambda said: (
                self.complaints.append(said.text)
                if said.type in ("error", "warning")
                and self._is_ours(self.page.url)
                and "Failed to load resource" not in said.text
                else None
            ),
        )

    def opens(self) -> Page:
        self.page.goto("/app/")
        self.page.get_by_text("Staff: sign in").click()
        return self.page

    def goes_there(self) -> Page:
        self.opens().get_by_role("button", name=f"Sign in with {CALLED}").click()
        expect(self.page.locator("#username")).to_be_visible()
        return self.page

    def signs_in(self, name: str) -> Page:
        page = self.goes_there()
        page.locator("#username").fill(name)
        page.locator("#password").fill(PASSWORD)
        page.locator("#kc-login").click()
        return page

    def session(self) -> Api:
        """The session of the page, to ask the API as it would."""
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()
        kept = json.loads(self.page.evaluate("localStorage.getItem('assent.session')"))
        return Api(self.site.service.http, kept["access"])

    def assert_well(self) -> None:
        assert self.strangers == []
        assert self.complaints == []

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(self.site.service.url).netloc

    def _watch(self, request: Request) -> None:
        # To go there is a navigation, and what the provider's pages load is theirs.
        if (
            self._is_ours(request.url)
            or not request.url.startswith("http")
            or request.is_navigation_request()
        ):
            return
        if self._is_ours(request.frame.url):
            self.strangers.append(request.url)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    opened = []

    def opens(screen: dict[str, Any] | None = None, **options: Any) -> Visit:
        context = browser.new_context(
            **(screen or pages.DESKTOP), base_url=site.service.url, reduced_motion="reduce", **options
        )
        context.set_default_timeout(30_000)
        opened.append(context)
        return Visit(context.new_page(), site)

    yield opens
    for context in opened:
        context.close()


def entries(operator: Api, kind: str) -> list[dict[str, Any]]:
    found = operator.get("/v1/log/entries", type=kind, limit=50)
    return list(found["entries"])


# --- people


@pytest.mark.parametrize("screen", [pages.PHONE, pages.DESKTOP], ids=["phone", "desktop"])
def test_member_of_staff_signs_in_at_the_provider_and_out_of_both(
    site: Site, visit: Callable[..., Visit], screen: dict[str, Any]
) -> None:
    size = screen["viewport"]["width"]
    site.person(f"olga-{size}", "assent-operator")
    olga = visit(screen, color_scheme="dark" if size < 1000 else "light")
    page = olga.opens()
    expect(page.get_by_role("button", name=f"Sign in with {CALLED}")).to_be_visible()
    check(page, f"openid-offer-{size}")
    olga.signs_in(f"olga-{size}")
    expect(page.get_by_role("heading", name="System")).to_be_visible()
    assert "code=" not in page.url
    assert page.url.startswith(f"{site.service.url}/app/")
    session = olga.session().get("/v1/auth/session")
    assert (session["kind"], session["roles"]) == ("staff", ["operator"])
    page.reload()
    expect(page.get_by_role("heading", name="System")).to_be_visible()
    page.goto("/app/accounts")
    expect(page.get_by_text("managed by the identity provider").first).to_be_visible()
    check(page, f"openid-accounts-{size}")
    page.get_by_role("button", name="Sign out").click()
    page.locator("#kc-logout").click()
    expect(page.get_by_text("Staff: sign in")).to_be_visible()
    olga.goes_there()  # and is asked who she is
    olga.assert_well()


def test_person_is_brought_back_to_where_they_were(site: Site, visit: Callable[..., Visit]) -> None:
    site.person("piotr", "assent-auditor")
    piotr = visit()
    piotr.page.goto("/app/audit/checkpoints")
    piotr.page.get_by_text("Staff: sign in").click()
    piotr.page.get_by_role("button", name=f"Sign in with {CALLED}").click()
    piotr.page.locator("#username").fill("piotr")
    piotr.page.locator("#password").fill(PASSWORD)
    piotr.page.locator("#kc-login").click()
    expect(piotr.page).to_have_url(re.compile("/app/audit/checkpoints$"))
    expect(piotr.page.get_by_role("button", name="Sign out")).to_be_visible()
    piotr.assert_well()


def test_browsers_back_button_leaves_the_way_open(site: Site, visit: Callable[..., Visit]) -> None:
    site.person("quinn", "assent-auditor")
    quinn = visit()
    quinn.goes_there().go_back()
    page = quinn.page
    if not page.get_by_role("button", name=f"Sign in with {CALLED}").is_visible():
        page.get_by_text("Staff: sign in").click()
    button = page.get_by_role("button", name=f"Sign in with {CALLED}")
    expect(button).to_have_attribute("aria-busy", "false")
    button.click()
    page.locator("#username").fill("quinn")
    page.locator("#password").fill(PASSWORD)
    page.locator("#kc-login").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.go_back()  # the provider sends them here again, or shows its own page; the session stands
    page.goto("/app/")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.parametrize("query", ["?code=stolen&state=AAAA", "?error=access_denied", ""])
def test_return_that_nobody_began_is_told_and_signs_nobody_in(
    visit: Callable[..., Visit], query: str
) -> None:
    page = visit(pages.PHONE).page
    page.goto(f"/app/openid{query}")
    expect(page.get_by_text("This sign-in was not begun in this tab")).to_be_visible()
    assert "code=" not in page.url
    check(page, "openid-not-begun")
    page.get_by_role("link", name="Back to sign-in").click()
    expect(page.get_by_text("Staff: sign in")).to_be_visible()


def test_return_of_another_browser_is_refused(site: Site, visit: Callable[..., Visit]) -> None:
    site.person("mallory", "assent-operator")
    mallory, victim = visit(), visit()
    # Mallory's own page does not spend the code: it is kept for somebody else.
    mallory.page.route("**/v1/auth/openid/finish", lambda route: route.abort())
    with mallory.page.expect_request("**/app/openid?*code=*") as sent:
        mallory.signs_in("mallory")
    expect(mallory.page.get_by_text("No connection.")).to_be_visible()
    victim.page.goto(sent.value.url)
    expect(victim.page.get_by_text("This sign-in was not begun in this tab")).to_be_visible()
    assert victim.page.evaluate("localStorage.getItem('assent.session')") is None


def test_person_who_refuses_at_the_provider_is_told_what_to_do(
    site: Site, visit: Callable[..., Visit]
) -> None:
    site.person("rosa", "assent-auditor")
    rosa = visit(pages.PHONE)
    with site.changed("assent-pages", consentRequired=True):
        page = rosa.signs_in("rosa")
        page.locator("#kc-cancel").click()
        expect(page.get_by_text("You did not sign in there.")).to_be_visible()
        check(page, "openid-declined")
    rosa.assert_well()


def test_person_without_a_role_gets_no_account(
    site: Site, operator: Api, visit: Callable[..., Visit]
) -> None:
    site.person("victor")
    page = visit().signs_in("victor")
    expect(page.get_by_text("You have no role in this service.")).to_be_visible()
    assert "victor" not in json.dumps(operator.get("/v1/users"))


def test_role_that_is_taken_away_ends_with_the_next_token(site: Site, visit: Callable[..., Visit]) -> None:
    subject = site.person("sam", "assent-operator", "assent-auditor")
    first, second = visit(), visit()
    first.signs_in("sam")
    before = first.session()
    site.keycloak.set_roles(subject, "assent-auditor")
    second.signs_in("sam")
    fewer = second.session()
    assert fewer.get("/v1/auth/session")["roles"] == ["auditor"]
    assert_problem(raw(before, "GET", "/v1/auth/session"), 401, "token_revoked")
    site.keycloak.set_roles(subject)
    third = visit()
    expect(third.signs_in("sam").get_by_text("You have no role in this service.")).to_be_visible()
    assert_problem(raw(fewer, "GET", "/v1/auth/session"), 401, "token_revoked")


def test_person_whom_the_provider_signs_out_is_signed_out_here(
    site: Site, visit: Callable[..., Visit]
) -> None:
    subject = site.person("tara", "assent-auditor")
    tara = visit()
    tara.signs_in("tara")
    session = tara.session()
    site.keycloak.admin("POST", f"/assent/users/{subject}/logout")
    deadline = time.monotonic() + 60
    while raw(session, "GET", "/v1/auth/session").status_code == 200:
        assert time.monotonic() < deadline, "the logout did not arrive"
        time.sleep(0.2)
    assert_problem(raw(session, "GET", "/v1/auth/session"), 401, "token_revoked")


def test_account_that_an_operator_closes_stays_closed(
    site: Site, operator: Api, visit: Callable[..., Visit]
) -> None:
    site.person("uma", "assent-auditor")
    uma = visit()
    uma.signs_in("uma")
    staff_id = uma.session().get("/v1/auth/session")["id"]
    closed = raw(operator, "PUT", f"/v1/users/{staff_id}/state", json={"disabled": True})
    assert (closed.status_code, closed.json()["by_provider"]) == (200, True)
    again = visit()
    expect(again.signs_in("uma").get_by_text("Your account here was closed.")).to_be_visible()
    path = f"/v1/users/{staff_id}/password"
    assert_problem(raw(operator, "PUT", path, json={"password": PASSWORD}), 409, "managed_by_provider")
    assert_problem(
        raw(site.service.anyone(), "POST", "/v1/auth/staff", json={"username": "uma@sso", "password": ""}),
        401,
        "sign_in_failed",
    )


def test_audit_log_names_nobody_as_the_provider_does(
    site: Site, operator: Api, visit: Callable[..., Visit]
) -> None:
    subject = site.person("wilhelmina", "assent-auditor")
    someone = visit()
    someone.signs_in("wilhelmina")
    staff_id = someone.session().get("/v1/auth/session")["id"]
    written = json.dumps(operator.get("/v1/log/entries", limit=200))
    assert staff_id in written
    for name in ("wilhelmina", subject, "assent-auditor", site.keycloak.issuer):
        assert name not in written


# --- systems


def test_system_exchanges_the_providers_token_for_ours(site: Site, operator: Api) -> None:
    answer = site.exchange(site.token(), scope="records:read consents:request")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["issued_token_type"], told["refresh_token"]) == (ACCESS_TOKEN, None)
    assert told["scope"] == "consents:request records:read"
    session = Api(site.service.http, told["access_token"]).get("/v1/auth/session")
    assert (session["kind"], session["roles"]) == ("client", ["provider"])
    (client,) = [one for one in operator.get("/v1/clients") if one["client_id"] == session["id"]]
    assert (client["name"], client["by_provider"]) == ("lab-system", True)
    offered = site.service.http.get("/.well-known/oauth-authorization-server").json()
    assert EXCHANGE in offered["grant_types_supported"]


def test_token_that_a_person_got_through_the_systems_client_is_refused(site: Site) -> None:
    site.person("xenia", "assent-operator")
    with site.changed("lab-system", directAccessGrantsEnabled=True):
        token = site.token(grant_type="password", username="xenia", password=PASSWORD)
    assert_problem(site.exchange(token), 403, "openid_system_unknown")


def test_token_with_a_second_proof_or_without_its_type_is_refused(site: Site) -> None:
    token = site.token()
    assert_problem(site.exchange(token, client_id="0" * 32), 401, "invalid_client")
    form = {"grant_type": EXCHANGE, "subject_token": token}
    assert_problem(site.service.http.post("/oauth2/token", data=form), 422, "invalid_input")


def test_provider_token_is_accepted_nowhere_else(site: Site) -> None:
    api = Api(site.service.http, site.token())
    assert_problem(raw(api, "GET", "/v1/auth/session"), 401, "token_invalid")


# --- forgeries, of a token that Keycloak really signed


def test_token_of_another_issuer_is_refused(site: Site) -> None:
    site.keycloak.make_realm(site.service.url, name="other")
    answer = httpx.post(
        f"{site.keycloak.url}/realms/other/protocol/openid-connect/token",
        data={"grant_type": "client_credentials"},
        auth=("lab-system", site.keycloak.lab_secret),
    )
    token = answer.raise_for_status().json()["access_token"]
    assert payload_of(token)["aud"] == payload_of(site.token())["aud"]
    assert_problem(site.exchange(token), 401, "openid_token_invalid")


def test_token_for_another_audience_is_refused(site: Site) -> None:
    other = {
        "clientId": "other-system",
        "secret": site.keycloak.lab_secret,
        "serviceAccountsEnabled": True,
        "publicClient": False,
    }
    site.keycloak.admin("POST", "/assent/clients", json=other)
    assert_problem(site.exchange(site.token("other-system")), 401, "openid_token_invalid")


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_token_with_another_algorithm_is_refused(site: Site, algorithm: str) -> None:
    token = site.token()
    header, payload, _ = token.split(".")
    kid = json.loads(decoded(header))["kid"]
    forged = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': kid})}.{payload}"
    (jwk,) = [one for one in certificates(site) if one["kid"] == kid]
    public = RSAKey.import_key(jwk).public_key
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(jwk).encode(),
    ]
    marks = [b"", *(hmac.digest(secret, forged.encode(), "sha256") for secret in secrets)]
    for mark in marks:
        signature = base64.urlsafe_b64encode(mark).rstrip(b"=").decode()
        assert_problem(site.exchange(f"{forged}.{signature}"), 401, "openid_token_invalid")
    assert site.exchange(token).status_code == 200


def test_token_that_is_over_is_refused(site: Site) -> None:
    attributes = {**site.client("lab-system")["attributes"], "access.token.lifespan": "1"}
    with site.changed("lab-system", attributes=attributes):
        token = site.token()
    over = payload_of(token)["exp"] + SKEW_SECONDS + 1
    time.sleep(max(0.0, over - time.time()))
    assert_problem(site.exchange(token), 401, "openid_token_invalid")


# --- what changes at the provider, last: it holds for all that follows


def test_keys_that_the_provider_replaces_are_found_and_old_ones_end(
    site: Site, visit: Callable[..., Visit]
) -> None:
    old = site.token()
    assert site.exchange(old).status_code == 200
    realm = site.keycloak.admin("GET", "/assent").json()["id"]
    path = "/assent/components"
    known = {"type": "org.keycloak.keys.KeyProvider", "parent": realm}
    replaced = [
        one
        for one in site.keycloak.admin("GET", path, params=known).json()
        if one["providerId"] == "rsa-generated"
    ]
    for name in ("next", "after next"):
        added = {
            "name": name,
            "providerId": "rsa-generated",
            "providerType": known["type"],
            "parentId": realm,
            "config": {"priority": ["200" if name == "next" else "300"], "algorithm": ["PS256"]},
        }
        site.keycloak.admin("POST", path, json=added)
        attributes = {
            **site.client("lab-system")["attributes"],
            "access.token.signed.response.alg": "PS256",
        }
        with site.changed("lab-system", attributes=attributes):
            token = site.token()
        header = json.loads(decoded(token.split(".")[0]))
        assert header["alg"] == "PS256"
        until_it_works(lambda token=token: site.exchange(token), 200)
        if name == "next":
            for one in replaced:
                site.keycloak.admin("DELETE", f"{path}/{one['id']}")
            added = {**added, "name": "rs", "config": {"priority": ["100"], "algorithm": ["RS256"]}}
            site.keycloak.admin("POST", path, json=added)
    # The set was looked at after the old key had been taken out of it.
    assert_problem(site.exchange(old), 401, "openid_token_invalid")
    site.person("yusuf", "assent-auditor")
    yusuf = visit()
    yusuf.signs_in("yusuf")
    assert yusuf.session()


def test_provider_that_hangs_stops_new_sign_ins_and_nothing_else(
    site: Site, operator: Api, visit: Callable[..., Visit]
) -> None:
    site.person("zoe", "assent-auditor")
    zoe = visit()
    zoe.signs_in("zoe")
    session = zoe.session()
    waiting = visit(pages.PHONE)
    page = waiting.opens()
    expect(page.get_by_role("button", name=f"Sign in with {CALLED}")).to_be_visible()
    site.keycloak.pause()
    try:
        # What answered a moment ago counts as there for ten seconds.
        until_it_works(
            lambda: site.service.http.post("/v1/auth/openid/begin", json={"code_challenge": "A" * 43}), 503
        )
        answer = site.service.http.post("/v1/auth/openid/begin", json={"code_challenge": "A" * 43})
        assert_problem(answer, 503, "openid_provider_unavailable")
        assert answer.headers["retry-after"]
        assert session.get("/v1/auth/session")["roles"] == ["auditor"]
        assert raw(operator, "GET", "/v1/users").status_code == 200
        assert site.service.http.get("/health/ready").status_code == 200
        page.get_by_role("button", name=f"Sign in with {CALLED}").click()
        expect(page.get_by_text("Your organisation's sign-in is not working at the moment.")).to_be_visible()
        check(page, "openid-away")
        # Somebody with a password goes on.
        page.get_by_label("User name").fill("local-operator")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    finally:
        site.keycloak.resume()
    until_it_works(
        lambda: site.service.http.post("/v1/auth/openid/begin", json={"code_challenge": "A" * 43}), 200
    )
    later = visit()
    later.signs_in("zoe")
    assert later.session()


def until_it_works(ask: Callable[[], httpx.Response], status: int) -> None:
    deadline = time.monotonic() + 60
    while (answer := ask()).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.5)


def certificates(site: Site) -> list[dict[str, Any]]:
    found = httpx.get(f"{site.keycloak.issuer}/protocol/openid-connect/certs").json()
    return list(found["keys"])


def payload_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return found


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
