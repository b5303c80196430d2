"""Errors of identity. None tells whether an account, a client or a patient exists, but to the custodian."""

from __future__ import annotations

from backend.errors import Conflict, IntegrityError, InvalidInput, NotAuthenticated, NotFound, NotPermitted


class SignInFailed(NotAuthenticated):
    """Unknown name, wrong password, disabled account: one answer for all."""

    code = "sign_in_failed"
    remedy = "Check name and password. After five failures sign-in is closed for 15 minutes."


class SignInLocked(NotAuthenticated):
    """Five failures under this name, whether or not an account has it."""

    code = "sign_in_locked"
    remedy = "Wait 15 minutes, then sign in again."


class TooManyAttempts(NotAuthenticated):
    """More sign-ins in a minute than anyone needs. Revocations need no sign-in and are never limited."""

    code = "too_many_attempts"
    remedy = "Wait a minute, then sign in again. A signed revocation needs no sign-in: POST /v1/revocations."

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 60) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class AddressLimited(TooManyAttempts):
    """More calls from one network address in a minute than its people and systems need."""

    code = "address_limited"
    remedy = "Wait as long as Retry-After says. A signed revocation is never limited: POST /v1/revocations."


class SignInMessageMalformed(InvalidInput):
    code = "siwe_malformed"
    remedy = "Send exactly the text that was signed, in the form of EIP-4361."


class SignInDomainMismatch(NotAuthenticated):
    """The message was made for another site: signing it there must not sign in here."""

    code = "siwe_domain_mismatch"
    remedy = "Sign in on the page of this service only: wallet and address bar must name the same domain."


class SignInUriMismatch(NotAuthenticated):
    code = "siwe_uri_mismatch"
    remedy = "Use the uri of the challenge: POST /v1/auth/wallet/challenge."


class SignInChainMismatch(NotAuthenticated):
    code = "siwe_chain_mismatch"
    remedy = "Use the chain id of the challenge: POST /v1/auth/wallet/challenge."


class SignInMessageExpired(NotAuthenticated):
    code = "siwe_expired"
    remedy = "Ask for a new challenge and sign it within five minutes; check the clock of the device."


class SignInMessageNotYetValid(NotAuthenticated):
    code = "siwe_not_yet_valid"
    remedy = "Check the clock of the device, then sign a new challenge."


class SignInNonceRefused(NotAuthenticated):
    """Not issued here, older than five minutes, or used before."""

    code = "siwe_nonce_refused"
    remedy = "Ask for a new challenge; each serves once, for five minutes."


class WalletSignatureInvalid(NotAuthenticated):
    code = "wallet_signature_invalid"
    remedy = "Sign the message unchanged with the account that it names."


class TokenInvalid(NotAuthenticated):
    """Not a token of ours for this audience: signature, key, type, issuer, audience or times do not hold."""

    code = "token_invalid"
    remedy = "Sign in again and send the access token as 'Authorization: Bearer'."


class TokenExpired(NotAuthenticated):
    code = "token_expired"
    remedy = "Use the refresh token, or sign in again."


class TokenRevoked(NotAuthenticated):
    """Its family was ended: sign-out, reuse of a refresh token, a disabled account."""

    code = "token_revoked"
    remedy = "Sign in again."


class RefreshTokenInvalid(NotAuthenticated):
    code = "refresh_token_invalid"
    remedy = "Sign in again."


class RefreshTokenReused(NotAuthenticated):
    """Somebody holds a copy of a refresh token. Nobody can tell who, so the whole family ends."""

    code = "refresh_token_reused"
    remedy = "Sign in again. If you did not use the token twice, somebody has a copy: tell the operator."


class PasswordUnacceptable(InvalidInput):
    code = "password_unacceptable"
    remedy = "Choose 15 to 128 characters that do not contain the user name."


class UsernameInvalid(InvalidInput):
    code = "username_invalid"
    remedy = "Use 3 to 64 of a-z, 0-9, dot, hyphen, underscore and at-sign."


class UsernameTaken(Conflict):
    code = "username_taken"
    remedy = "Choose another user name."


class StaffUnknown(NotFound):
    code = "staff_unknown"
    remedy = "Check the id; GET /v1/users lists the accounts."


class ClientUnknown(NotFound):
    code = "client_unknown"
    remedy = "Check the client id; GET /v1/clients lists the clients."


class ClientSecretNotShown(Conflict):
    """A retry came more than a day after the first answer, or the secret was replaced since."""

    code = "client_secret_not_shown"
    remedy = "The client exists; get a new secret: POST /v1/clients/{client_id}/secret with another key."


class ClientRefused(NotAuthenticated):
    """Unknown client, wrong secret or assertion, disabled client: one answer for all."""

    code = "invalid_client"
    remedy = "Check client id and secret; an operator can rotate the secret."


class ScopeInvalid(InvalidInput):
    code = "invalid_scope"
    remedy = "Ask only for scopes the client is registered for; they follow from its roles."


class ScopeMissing(NotPermitted):
    code = "scope_missing"
    remedy = "Sign in with an account whose role covers this; docs/integrate.md lists roles and scopes."


class LastOperator(Conflict):
    """Without an enabled operator nobody could manage accounts any more."""

    code = "last_operator"
    remedy = "Make or enable another operator first."


class AccountTaken(Conflict):
    """Another staff account signs with this wallet: two witnesses would be one person."""

    code = "account_taken"
    remedy = "Use a wallet of your own. If the other account is yours too, an operator disables it first."


class AccountChanged(Conflict):
    """Two administrators changed one account at once; the later one lost."""

    code = "account_changed"
    remedy = "Read the account again, then repeat the change."


class EnrolmentCodeMalformed(InvalidInput):
    """Wrong length, a letter that no code has, or a checksum that does not hold: most likely mistyped."""

    code = "enrolment_code_malformed"
    remedy = "Check the code for typing errors: five groups of four."


class EnrolmentCodeRefused(NotFound):
    """No such code, or too many wrong attempts at it."""

    code = "enrolment_code_refused"
    remedy = "Check the code, or have the identity desk issue a new one."


class EnrolmentCodeExpired(Conflict):
    code = "enrolment_code_expired"
    remedy = "Have the identity desk issue a new code."


class EnrolmentAlreadyClaimed(Conflict):
    code = "enrolment_already_claimed"
    remedy = "The code was used. If it was not you, tell the identity desk at once."


class ClaimSignatureInvalid(InvalidInput):
    code = "claim_signature_invalid"
    remedy = "Sign the OpenSubject typed data of the enrolment with the account you signed in with."


class ClaimDeadlinePassed(InvalidInput):
    code = "claim_deadline_passed"
    remedy = "Sign again with a later submitBy."


class ClaimNotByGuardian(NotPermitted):
    code = "claim_not_by_guardian"
    remedy = "The code of a child is claimed with the account of one of the guardians who were checked."


class RecordNumberInvalid(InvalidInput):
    code = "record_number_invalid"
    remedy = "Send the record number as printed, 1 to 64 characters."


class PersonInvalid(InvalidInput):
    code = "person_invalid"
    remedy = "Send a name of 1 to 200 characters and a birth date as YYYY-MM-DD."


class RecordAlreadyEnrolled(Conflict):
    code = "record_already_enrolled"
    remedy = "The record number belongs to an enrolled patient. For a lost wallet use recovery."


class NotEnrolled(NotFound):
    """Told to the custodian alone, when it stores: nobody could ever read what was kept for nobody."""

    code = "patient_not_enrolled"
    remedy = "Enrol the patient first: POST /v1/enrolments, and let the patient claim the code."


class PatientReferenceInvalid(InvalidInput):
    code = "patient_ref_invalid"
    remedy = "Use the patient_ref as POST /v1/patients/search gave it to this client."


class IdentityRecordTampered(IntegrityError):
    """An account, client or enrolment in the index is not what this service wrote."""

    code = "identity_record_tampered"
    remedy = "Tell the operator: the index was changed by somebody else."
