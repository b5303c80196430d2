"""Public keys that data is sealed to: of patients, bound by their wallets, and of organisations."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.schemas import Body, Hex32, HexSignature, HexSubject, Message, bytes32, moment, subject_id
from backend.api.security import Caller, Open, agent_of, needs, require_party
from backend.consent.key_terms import BindKey, WithdrawKey
from backend.consent.terms_json import from_json
from backend.errors import NotFound
from backend.identity.principal import Principal
from backend.identity.roles import Scope
from backend.identity.types import PrincipalKind
from backend.records.key_errors import PublicKeyMalformed
from backend.records.member_keys import MemberKeyState
from backend.records.patient_keys import KeyState
from backend.records.sealing import RecipientKey
from backend.types import MemberId, SubjectId, to_hex

router = APIRouter(prefix="/v1", tags=["encryption keys"])
Own = Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]
Anyone = Annotated[Caller, Depends(needs())]
PublicKeyText = Annotated[
    str,
    Field(
        max_length=1624,
        description="the 1216 bytes of an X-Wing public key (ML-KEM-768, then X25519) in base64url",
    ),
]


class KeyDraftBody(Body):
    subject: HexSubject
    public_key: PublicKeyText


class KeyDraft(BaseModel):
    typed_data: dict[str, Any]


class BindKeyBody(Body):
    """A signed BindKey: the message of the draft, unchanged, and the key whose hash it holds."""

    public_key: PublicKeyText
    message: Message
    signature: HexSignature


class KeyView(BaseModel):
    """``state``: 'none', 'pending' (received, not final) or 'bound'. ``key_id``: SHA-256 of the public key
    that data is sealed to now; with 'pending' that of before, if there is one."""

    state: Literal["none", "pending", "bound"]
    key_id: str | None
    sequence: int | None = Field(description="its number; the chain uses each once")
    bound_at: datetime | None


class WithdrawalDraftBody(Body):
    subject: HexSubject


class WithdrawKeyBody(Body):
    """A signed WithdrawKey."""

    message: Message
    signature: HexSignature


class WithdrawnView(BaseModel):
    """Nothing is sealed to these keys from now on, whether or not it is on the chain yet."""

    state: Literal["in_force"]


class MemberKeyBody(Body):
    public_key: PublicKeyText


class MemberKeyView(BaseModel):
    """``state``: 'none', 'pending' (a new key waits for the chain, ``effective_from`` says until when) or
    'bound'. ``key_id``: SHA-256 of the key that data is sealed to now."""

    state: Literal["none", "pending", "bound"]
    key_id: str | None
    effective_from: datetime | None


@router.post("/encryption-keys/draft", response_model=KeyDraft)
def draft_binding(body: KeyDraftBody, caller: Own, spend: Spending) -> KeyDraft:
    """Get the message with which the patient's wallet binds a public key. Its private key stays where it was
    made; nobody here asks for it."""
    spend(Limited.DRAFT)
    subject = _own(caller, body.subject)
    key = _public_key(body.public_key)
    return KeyDraft(typed_data=dict(caller.services.patient_keys.draft_binding(subject, key)))


@router.put("/encryption-keys", response_model=KeyView)
def bind_key(body: BindKeyBody, caller: Own) -> KeyView:
    """Bind a key, in the place of any other. Only the account that controls the subject can; a delegate or a
    guardian cannot. The same again gives the same answer."""
    command = from_json(BindKey, body.message, "message.")
    _require_own(caller, command.subject)
    key = _public_key(body.public_key)
    signature = bytes.fromhex(body.signature[2:])
    return _view(caller.services.patient_keys.bind(key, command, signature))


@router.get("/encryption-keys", response_model=KeyView)
def get_key(subject: HexSubject, caller: Own) -> KeyView:
    """The key that the patient's data is sealed to."""
    return _view(caller.services.patient_keys.state(_own(caller, subject)))


@router.post("/encryption-keys/withdrawals/draft", response_model=KeyDraft)
def draft_withdrawal(body: WithdrawalDraftBody, caller: Own) -> KeyDraft:
    """Get the message that withdraws the patient's key, and with it any binding that is on its way."""
    subject = _own(caller, body.subject)
    return KeyDraft(typed_data=dict(caller.services.patient_keys.draft_withdrawal(subject)))


@router.post("/encryption-keys/withdrawals", response_model=WithdrawnView)
def withdraw_key(body: WithdrawKeyBody, services: Open) -> WithdrawnView:
    """Put a signed withdrawal in force, whoever sends it. Sending it again is harmless."""
    command = from_json(WithdrawKey, body.message, "message.")
    services.patient_keys.withdraw(command, bytes.fromhex(body.signature[2:]))
    return WithdrawnView(state="in_force")


@router.put(
    "/members/{member}/encryption-key",
    response_model=MemberKeyView,
    responses={202: {"model": MemberKeyView}},
)
def set_member_key(member: Hex32, body: MemberKeyBody, caller: Anyone, response: Response) -> MemberKeyView:
    """Give an organisation's public key, as its own client or as an operator. Where the chain names no key
    yet, it is made to name this one; another is replaced by an operator only. With the registry's delay the
    answer is 202 and says from when it counts."""
    services, principal = caller
    wanted = _member(principal, member)
    is_operator = Scope.PARTICIPANT_MANAGE in principal.scopes
    key = _public_key(body.public_key)
    state = services.member_keys.set(wanted, key, replacing=is_operator, by=agent_of(principal))
    if state.is_pending:
        response.status_code = 202
    return _member_view(state)


@router.get("/members/{member}/encryption-key", response_model=MemberKeyView)
def get_member_key(member: Hex32, caller: Anyone) -> MemberKeyView:
    """The key of an organisation, for its own client and for operators."""
    return _member_view(caller.services.member_keys.state(_member(caller.principal, member)))


def _own(caller: Caller, subject: str) -> SubjectId:
    wanted = subject_id(subject)
    _require_own(caller, wanted)
    return wanted


def _require_own(caller: Caller, subject: SubjectId) -> None:
    require_party(caller.principal, subject=subject, member=None)


def _member(principal: Principal, member: str) -> MemberId:
    """Return the member. Raise NotFound, as for what does not exist, to whoever has no part in it."""
    wanted = MemberId(bytes32(member))
    is_own = principal.kind is PrincipalKind.CLIENT and principal.member_id == wanted
    if not is_own and Scope.PARTICIPANT_MANAGE not in principal.scopes:
        raise NotFound
    return wanted


def _public_key(text: str) -> RecipientKey:
    try:
        return RecipientKey(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise PublicKeyMalformed(field="public_key") from error


def _view(state: KeyState) -> KeyView:
    bound = state.bound
    return KeyView(
        state="pending" if state.is_pending else "none" if bound is None else "bound",
        key_id=None if bound is None else to_hex(bound.key_hash),
        sequence=None if bound is None else bound.sequence,
        bound_at=None if bound is None else moment(bound.bound_at),
    )


def _member_view(state: MemberKeyState) -> MemberKeyView:
    start = state.effective_from
    return MemberKeyView(
        state="pending" if state.is_pending else "none" if state.key_hash is None else "bound",
        key_id=None if state.key_hash is None else to_hex(state.key_hash),
        effective_from=None if start is None else moment(start),
    )
