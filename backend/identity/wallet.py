"""Sign-in with a wallet (EIP-4361).

The account must be known: it controls a subject, claimed an enrolment or acts for somebody. Any other account
gets a token that can do one thing, claim an enrolment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from backend.errors import AssentError
from backend.identity.errors import (
    SignInChainMismatch,
    SignInDomainMismatch,
    SignInMessageExpired,
    SignInMessageNotYetValid,
    SignInUriMismatch,
    WalletSignatureInvalid,
)
from backend.identity.nonces import NONCE_SECONDS, Nonces
from backend.identity.ports import ContractWallets, IdentityAudit
from backend.identity.rate_limit import RateLimit
from backend.identity.sign_in_message import SignInMessage, compose, parse
from backend.identity.signatures import is_signed_by, personal_digest
from backend.identity.standing import Standing
from backend.identity.tokens import Tokens
from backend.identity.types import PrincipalKind, TokenPair
from backend.types import Address, UnixSeconds

CLOCK_SKEW_SECONDS: Final = 60  # by how much the clock of a device may be wrong
SIGN_INS_A_MINUTE: Final = 20
_KEY_SIGNATURE_BYTES: Final = 65
STATEMENT: Final = "Sign in to see and decide about your health records. This gives no consent."
LINK_STATEMENT: Final = "Link this account to my staff account, to sign as a witness. This gives no consent."


@dataclass(frozen=True, slots=True)
class Challenge:
    """``message`` is ready for ``personal_sign``; a page may build its own from ``nonce`` and site."""

    message: str
    nonce: str
    expires_at: UnixSeconds


class WalletSignIn:
    """``public_url`` gives scheme, domain and URI that a message must name."""

    def __init__(
        self,
        *,
        public_url: str,
        chain_id: int,
        nonces: Nonces,
        contracts: ContractWallets,
        standing: Standing,
        tokens: Tokens,
        audit: IdentityAudit,
        clock: Callable[[], int],
    ) -> None:
        site = urlsplit(public_url)
        self._scheme = site.scheme
        self._domain = site.netloc
        self._uri = public_url
        self._chain_id = chain_id
        self._nonces = nonces
        self._contracts = contracts
        self._standing = standing
        self._tokens = tokens
        self._audit = audit
        self._clock = clock
        self._sign_ins = RateLimit(limit=SIGN_INS_A_MINUTE, clock=clock)

    def challenge(self, account: Address, *, statement: str = STATEMENT) -> Challenge:
        """Return a message with a fresh nonce, good once and for five minutes."""
        now = UnixSeconds(self._clock())
        expires_at = UnixSeconds(now + NONCE_SECONDS)
        nonce = self._nonces.issue()
        message = compose(
            scheme=self._scheme,
            domain=self._domain,
            address=account,
            statement=statement,
            uri=self._uri,
            chain_id=self._chain_id,
            nonce=nonce,
            issued_at=now,
            expires_at=expires_at,
        )
        return Challenge(message=message, nonce=nonce, expires_at=expires_at)

    def sign_in(self, message: str, signature: bytes) -> TokenPair:
        """Check message, nonce and signature, in this order, and return tokens.

        A nonce is spent by the first message that names it, whatever its signature: so nobody can try many
        signatures, or make the chain be asked often, with one nonce.
        """
        parsed = parse(message)
        try:
            if parsed.statement == LINK_STATEMENT:  # signed for something else
                raise WalletSignatureInvalid
            self._prove(parsed, message, signature)
            # After the signature, so that nobody can use up the sign-ins of somebody else's account.
            self._sign_ins.spend(parsed.address)
        except AssentError as refusal:
            self._audit.sign_in_refused(kind=PrincipalKind.WALLET, principal_id="", code=refusal.code)
            raise
        return self._tokens.start(self._standing.of_wallet(parsed.address))

    def linked(self, message: str, signature: bytes) -> Address:
        """Return the account that signed a challenge to be linked; a sign-in message does not count.

        A plain key only: both witnesses' signatures are checked without asking a contract of theirs. Raises
        as ``sign_in``.
        """
        parsed = parse(message)
        try:
            if parsed.statement != LINK_STATEMENT or len(signature) != _KEY_SIGNATURE_BYTES:
                raise WalletSignatureInvalid
            self._prove(parsed, message, signature)
        except AssentError as refusal:
            self._audit.sign_in_refused(kind=PrincipalKind.WALLET, principal_id="", code=refusal.code)
            raise
        return parsed.address

    def _prove(self, parsed: SignInMessage, message: str, signature: bytes) -> None:
        self._check(parsed)
        self._nonces.consume(parsed.nonce)
        if not is_signed_by(parsed.address, personal_digest(message), signature, contracts=self._contracts):
            raise WalletSignatureInvalid

    def _check(self, message: SignInMessage) -> None:
        if message.domain != self._domain or message.scheme not in (None, self._scheme):
            raise SignInDomainMismatch
        if message.uri != self._uri:
            raise SignInUriMismatch
        if message.chain_id != self._chain_id:
            raise SignInChainMismatch
        now = self._clock()
        if now - message.issued_at > NONCE_SECONDS + CLOCK_SKEW_SECONDS:
            raise SignInMessageExpired
        if message.expires_at is not None and now >= message.expires_at + CLOCK_SKEW_SECONDS:
            raise SignInMessageExpired
        starts = max(message.issued_at, message.not_before or 0)
        if starts > now + CLOCK_SKEW_SECONDS:
            raise SignInMessageNotYetValid
