"""A real HAProxy with the configuration of ``deploy``, before one service or two."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from backend.adapters import process
from backend.adapters.process import free_port
from scripts.haproxy import run as haproxy
from tests.support.certificates import self_signed
from tests.support.components import require

CONFIGURATION: Final = Path(__file__).resolve().parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
REQUESTS_PER_MINUTE: Final = 120
ProgramFound = tuple[Path, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Edge:
    http: int
    https: int
    systems: int
    trusted: Path
    client: Path  # certificate and key of a system

    def people(self, **options: object) -> httpx.Client:
        return self._client(self.https, self.context(), **options)

    def machine(self, *, certificate: bool = True) -> httpx.Client:
        context = self.context()
        if certificate:
            context.load_cert_chain(self.client)
        return self._client(self.systems, context)

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.trusted))

    def _client(self, port: int, context: ssl.SSLContext, **options: object) -> httpx.Client:
        return httpx.Client(base_url=f"https://localhost:{port}", verify=context, timeout=30, **options)  # type: ignore[arg-type]


def require_haproxy() -> ProgramFound:
    found = haproxy.find()
    require(found, "no HAProxy on this machine", "make haproxy")
    assert found is not None
    return found


@contextmanager
def running_edge(
    program: ProgramFound,
    directory: Path,
    backend: str,
    second: str | None = None,
    *,
    requests_per_minute: int = REQUESTS_PER_MINUTE,
) -> Iterator[Edge]:
    """Run the proxy before ``backend``, and before ``second`` where there are two."""
    _, certificate = self_signed(directory, "localhost")
    client = directory / "client.pem"
    authority = directory / "authority.pem"
    _system_certificate(authority, client)
    made = Edge(free_port(), free_port(), free_port(), certificate, client)
    child = process.start(
        [program[0], "-f", CONFIGURATION],
        env={
            **os.environ,
            **program[1],
            "ASSENT_TLS": str(certificate),
            "SYSTEMS_CA": str(authority),
            "ASSENT_BACKEND": backend.removeprefix("http://"),
            **({} if second is None else {"ASSENT_SECOND_BACKEND": second.removeprefix("http://")}),
            "HTTP_PORT": str(made.http),
            "HTTPS_PORT": str(made.https),
            "SYSTEMS_PORT": str(made.systems),
            "REQUESTS_PER_MINUTE": str(requests_per_minute),
        },
    )
    try:
        assert process.wait_until(lambda: _answers(made.https), timeout_seconds=20, child=child)
        yield made
    finally:
        process.stop(child)


def _answers(port: int) -> bool:
    try:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
            return True
    except OSError:
        return False


def _system_certificate(authority: Path, client: Path) -> None:
    now, keys = datetime.now(UTC), [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("CA", "laboratory")]
    made = [
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(names[0])
        .public_key(key.public_key())
        .serial_number(number + 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        .sign(keys[0], SHA256())
        for number, (name, key) in enumerate(zip(names, keys, strict=True))
    ]
    authority.write_bytes(made[0].public_bytes(Encoding.PEM))
    client.write_bytes(
        keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made[1].public_bytes(Encoding.PEM)
    )
