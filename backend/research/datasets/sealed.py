"""A released dataset, sealed to its researcher: nobody between can read it, and it says which release it is.

``"assent-release/1\\n" ‖ u32 header length, big-endian ‖ header ‖ ciphertext``. The header is deterministic
CBOR (RFC 8949 section 4.2.1) and names custodian, study and release. The package (``package.py``) is
encrypted under a key drawn for this copy (Cobblestone-256, ``records.envelope``), which ``sealed`` holds for
the reader (HPKE X-Wing, ``records.sealing``). The whole header is bound into that key and into the
ciphertext, so that a copy made for one study or one reader never passes for another's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from backend.keystore import Secret
from backend.records import canonical
from backend.records.context import DEFAULT_SUITES, SUITE_1, SuiteNumber, require_suite
from backend.records.envelope import Opened, decrypt, encrypt, unframe
from backend.records.envelope_errors import NotCanonical, WrapRefused
from backend.records.frame import describe, frame
from backend.records.headed import beginning, take_header
from backend.records.sealing import SEALED_BYTES, RecipientKey, RecipientPrivateKey

MEDIA_TYPE: Final = "application/vnd.assent.release"
PACKAGE_TYPE: Final = "application/zip"
MAGIC: Final = b"assent-release/1\n"
_MAX_HEADER_BYTES: Final = 4096
_ID_BYTES: Final = 32
_FIELDS: Final[dict[str, type]] = {
    "v": int, "suite": int, "tenant": bytes, "study": bytes, "release": bytes, "recipient": bytes,
    "sealed": bytes,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReleaseHeader:
    """What a sealed dataset says about itself; authentic once it opened. Every id has 32 bytes."""

    tenant: bytes  # the custodian
    study: bytes
    release: bytes
    recipient: bytes  # RecipientKey.id
    sealed: bytes = b""  # 1168 bytes
    suite: SuiteNumber = SUITE_1

    def __post_init__(self) -> None:
        if {len(each) for each in (self.tenant, self.study, self.release, self.recipient)} != {_ID_BYTES}:
            raise ValueError("ids have 32 bytes")

    def encode(self) -> bytes:
        return canonical.encode(
            {
                "v": 1,
                "suite": self.suite,
                "tenant": self.tenant,
                "study": self.study,
                "release": self.release,
                "recipient": self.recipient,
                "sealed": self.sealed,
            }
        )

    def info(self) -> bytes:
        """Return what ``sealed`` is bound to: everything else of the header, with a label of its own."""
        return canonical.encode(["assent/release/1", replace(self, sealed=b"").encode()])

    def bound(self) -> bytes:
        """Return what the ciphertext is bound to: the whole header."""
        return b"assent/release/1" + hashlib.sha256(self.encode()).digest()


@dataclass(frozen=True, slots=True)
class OpenedRelease:
    """``document.data`` is complete only when its iteration ended without an error."""

    header: ReleaseHeader
    document: Opened


def seal_release(
    package: bytes, *, tenant: bytes, study: bytes, release: bytes, recipient: RecipientKey
) -> Iterator[bytes]:
    """Yield a package sealed to one researcher's key."""
    key = Secret.generate()
    header = ReleaseHeader(tenant, study, release, recipient.id)
    header = replace(header, sealed=recipient.seal(key.reveal(), header.info()))
    yield beginning(MAGIC, header.encode())
    yield from encrypt(frame(describe(package, PACKAGE_TYPE), (package,)), key=key, context=header.bound())


def open_release(
    delivery: Iterable[bytes],
    private: RecipientPrivateKey,
    *,
    allowed_suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
) -> OpenedRelease:
    """Open a dataset with its researcher's key.

    Raises NotCanonical (no release of this form), WrapRefused (sealed to another key, or altered),
    SuiteRefused, EnvelopeRefused, FrameInvalid.
    """
    header, ciphertext = _read_header(delivery)
    require_suite(header.suite, allowed_suites)
    if header.recipient != private.public.id:
        raise WrapRefused
    try:
        key = Secret(private.open(header.sealed, header.info()))
    except ValueError as failure:
        raise WrapRefused from failure
    return OpenedRelease(header, unframe(decrypt(ciphertext, key=key, context=header.bound())))


def _read_header(delivery: Iterable[bytes]) -> tuple[ReleaseHeader, Iterator[bytes]]:
    encoded, rest = take_header(delivery, MAGIC, max_bytes=_MAX_HEADER_BYTES, what="a released dataset")
    return _decode(encoded), rest


def _decode(encoded: bytes) -> ReleaseHeader:
    fields = canonical.decode_map(encoded, _FIELDS)
    if fields["v"] != 1 or len(fields["sealed"]) != SEALED_BYTES:
        raise NotCanonical("a released dataset of another form")
    try:
        return ReleaseHeader(
            fields["tenant"], fields["study"], fields["release"], fields["recipient"], fields["sealed"],
            SuiteNumber(fields["suite"]),
        )  # fmt: skip
    except ValueError as failure:
        raise NotCanonical("a released dataset of another form") from failure
