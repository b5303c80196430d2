"""Fetch and run Keycloak: ``python -m scripts.keycloak.run fetch`` and ``... serve``.

Needs Java 17 and Maven, which fetches the archive through its own settings; ``archive.sha256`` says which
bytes it is. ``serve`` starts it for development on a free port, in memory, with ``realm.json`` and three
people whose passwords are drawn, and prints the settings to start the service with.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
PLACE: Final = ROOT / ".build" / "keycloak"
REALM_FILE: Final = HERE / "realm.json"
REALM: Final = "assent"
COMMAND: Final = "make keycloak"
OUT_OF_REACH: Final = 75  # EX_TEMPFAIL
FETCH_SECONDS: Final = 900.0
START_SECONDS: Final = 300.0
STOP_SECONDS: Final = 30.0
_ADMIN: Final = "admin"
_ROLES: Final = ("operator", "auditor", "desk", "provider")


def is_possible() -> bool:
    """True where Keycloak can run, and be fetched if it is not there."""
    return shutil.which("java") is not None and (home() is not None or shutil.which("mvn") is not None)


def home() -> Path | None:
    """Return where Keycloak lies, or None."""
    return next(iter(sorted(PLACE.glob("keycloak-*/"))), None)


def fetch() -> Path:
    """Return where Keycloak lies, fetched when it does not. Ends the program when it cannot be had."""
    found = home()
    if found is not None:
        return found
    if shutil.which("mvn") is None:
        sys.exit("Keycloak is fetched with Maven. Debian: apt-get install default-jdk-headless maven")
    digest, _, name = PINNED.partition("  ")
    fetched = PLACE / "fetched"
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    try:
        subprocess.run([*command, f"-DoutputDirectory={fetched}"], check=True, timeout=FETCH_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        print("Maven could not fetch Keycloak.")
        sys.exit(OUT_OF_REACH)
    archive = fetched / name
    with archive.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            sys.exit(f"{name} is not the archive that archive.sha256 pins.")
    unfinished = PLACE / "unpacking"
    shutil.rmtree(unfinished, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(unfinished, filter="data")
    (unpacked,) = unfinished.iterdir()
    place = PLACE / unpacked.name
    unpacked.replace(place)
    shutil.rmtree(unfinished)
    shutil.rmtree(fetched)
    return place


PINNED: Final = (HERE / "archive.sha256").read_text().strip()


class Keycloak:
    """One Keycloak in memory on 127.0.0.1, with our realm. ``log``: the file that its output goes to."""

    def __init__(self, log: Path) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.issuer = f"{self.url}/realms/{REALM}"
        self.pages_secret, self.lab_secret = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._password = secrets.token_urlsafe(32)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(timeout=30)

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with the end of its log."""
        place = fetch()
        environment = {
            **os.environ,
            "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self._password,
            "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx448m",
        }
        port = self.url.rpartition(":")[2]
        options = ["--db=dev-mem", "--http-host=127.0.0.1", f"--http-port={port}", "--cache=local"]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(place / "bin" / "kc.sh"), "start-dev", *options],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the script starts Java as its child: both are stopped as one group
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                told = self._log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"Keycloak did not start:\n{told}")
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
                return

    def close(self) -> None:
        self._http.close()

    def pause(self) -> None:
        """Let it hang: connections are taken, and nothing answers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)

    def make_realm(self, public_url: str, *, name: str = REALM) -> None:
        """Make our realm from ``realm.json``, for a service at this address."""
        text = REALM_FILE.read_text()
        for placeholder, value in (
            ("ASSENT_PUBLIC_URL", public_url),
            ("ASSENT_PAGES_SECRET", self.pages_secret),
            ("ASSENT_LAB_SECRET", self.lab_secret),
        ):
            text = text.replace(f"${{{placeholder}}}", value)
        self.admin("POST", "", json={**json.loads(text), "realm": name})

    def add_person(self, username: str, password: str, *roles: str) -> str:
        """Add somebody with realm roles; return the id that tokens name as ``sub``."""
        person = {
            "username": username,
            "enabled": True,
            "email": f"{username}@hospital.example",
            "emailVerified": True,
            "firstName": username.title(),
            "lastName": "Example",
            "credentials": [{"type": "password", "value": password, "temporary": False}],
        }
        made = self.admin("POST", f"/{REALM}/users", json=person)
        user = made.headers["location"].rpartition("/")[2]
        self.set_roles(user, *roles)
        return str(user)

    def set_roles(self, user: str, *roles: str) -> None:
        """Give somebody these of our realm roles, and no others."""
        path = f"/{REALM}/users/{user}/role-mappings/realm"
        known = self.admin("GET", f"/{REALM}/roles").json()
        ours = [role for role in known if role["name"].startswith("assent-")]
        self.admin("DELETE", path, json=ours)
        self.admin("POST", path, json=[role for role in ours if role["name"] in roles])

    def service_account(self, client: str) -> str:
        """Return the ``sub`` of the tokens that a client gets for itself."""
        (found,) = self.admin("GET", f"/{REALM}/clients", params={"clientId": client}).json()
        user = self.admin("GET", f"/{REALM}/clients/{found['id']}/service-account-user").json()
        return str(user["id"])

    def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the admin API, below ``/admin/realms``. Raises httpx.HTTPStatusError."""
        form = {"grant_type": "password", "client_id": "admin-cli"}
        form |= {"username": _ADMIN, "password": self._password}
        signed_in = self._http.post(
            f"{self.url}/realms/master/protocol/openid-connect/token", data=form
        ).raise_for_status()
        headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        answer = self._http.request(method, f"{self.url}/admin/realms{path}", headers=headers, **options)
        return answer.raise_for_status()

    def _answers(self) -> bool:
        try:
            answer = self._http.get(f"{self.url}/realms/master", timeout=5)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK


@contextlib.contextmanager
def running(log: Path) -> Iterator[Keycloak]:
    """Run a Keycloak until the block ends."""
    keycloak = Keycloak(log)
    try:
        keycloak.start()
        yield keycloak
    finally:
        keycloak.resume()
        keycloak.stop()
        keycloak.close()


def mapping_for(keycloak: Keycloak) -> dict[str, Any]:
    """Return a mapping of the realm's roles, and of its system, to ours."""
    ours = {"operator": "operator", "auditor": "auditor", "desk": "identity_desk", "provider": "provider"}
    return {
        "staff": [{"role": f"assent-{name}", "roles": [role]} for name, role in ours.items()],
        "systems": [
            {
                "client": "lab-system",
                "subject": keycloak.service_account("lab-system"),
                "roles": ["provider"],
            }
        ],
    }


def serve(public_url: str) -> None:
    """Run until interrupted."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="assent-keycloak-") as directory:
        folder = Path(directory)
        print("Starting Keycloak (half a minute) ...", flush=True)
        with running(folder / "keycloak.log") as keycloak:
            keycloak.make_realm(public_url)
            people = {name: secrets.token_urlsafe(15) for name in _ROLES}
            for name, password in people.items():
                keycloak.add_person(name, password, f"assent-{name}")
            (folder / "mapping.json").write_text(json.dumps(mapping_for(keycloak), indent=2))
            (folder / "secret").write_text(keycloak.pages_secret)
            print(
                f"ASSENT_OPENID_ISSUER={keycloak.issuer}\nASSENT_OPENID_CLIENT_ID=assent-pages\n"
                f"ASSENT_OPENID_CLIENT_SECRET_FILE={folder / 'secret'}\n"
                f"ASSENT_OPENID_MAPPING={folder / 'mapping.json'}\nASSENT_OPENID_NAME=Keycloak\n"
                + "".join(f"# {name}: {password}\n" for name, password in people.items())
                + f"# lab-system: {keycloak.lab_secret}",
                flush=True,
            )
            ended.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="fetch it into .build/keycloak when it is missing")
    serving = commands.add_parser("serve", help="run it until Ctrl-C")
    serving.add_argument("--public-url", default="http://localhost:8000", help="of the service")
    arguments = parser.parse_args()
    if shutil.which("java") is None:
        sys.exit("Keycloak needs Java 17 or newer. Debian: apt-get install default-jdk-headless maven")
    if arguments.command == "fetch":
        print(fetch())
    else:
        serve(arguments.public_url)


if __name__ == "__main__":
    main()
