"""The market's money and the token, as ``research.money.ports.MoneyLedger`` needs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_utils.address import to_checksum_address
from web3.types import Nonce
from web3.utils.address import get_create_address

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.chain import Chain, parse_inclusion
from backend.adapters.ledger.effects import Effect, Effects
from backend.adapters.ledger.erc20 import Token
from backend.adapters.ledger.errors import ContractCodeDiffers, LedgerRejected
from backend.adapters.ledger.market_money import MarketMoney
from backend.adapters.ledger.own_transactions import check_signed, signed, unsigned
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.rpc import RpcError
from backend.adapters.ledger.studies import Approval
from backend.consent.ledger_types import Receipt
from backend.errors import LedgerUnavailable
from backend.research.money.types import (
    BoardApproval,
    ChainCall,
    Deposit,
    EscrowState,
    EscrowTerms,
    MarketRules,
    Payment,
    RoundId,
    RoundState,
    UnsignedTransaction,
    round_id,
)
from backend.types import Address, BlockNumber, Bytes32, MemberId, UnixSeconds

_DEPLOYMENT_GAS = 3_000_000


class LedgerMoney:
    """Implements ``research.money.ports.MoneyLedger``.

    The test token of an embedded chain is the first contract that the payments office makes, so its address
    is known before; it is made when it is first needed. ``token``: the ERC-20 of a network, None for none.
    """

    def __init__(
        self,
        *,
        chain: Chain,
        relayer: Relayer,
        effects: Effects,
        market: Address,
        custodian: MemberId,
        is_embedded: bool,
        token: Address | None,
    ) -> None:
        self._chain = chain
        self._relayer = relayer
        self._effects = effects
        self._market = MarketMoney(market, chain)
        self._custodian = custodian
        self._is_embedded = self.is_test_token = is_embedded
        self.market = market
        self.office = relayer.address(Sender.PAYMENTS)
        self.token = _first_contract_of(self.office) if is_embedded else token
        self._making = threading.Lock()

    @property
    def chain_id(self) -> int:
        return self._chain.chain_id

    # --- reading, at the head

    def now(self) -> UnixSeconds:
        head = self._chain.view().head_timestamp
        # An embedded chain has no block while nothing happens: the next one is made for what is sent now.
        return UnixSeconds(max(head, int(time.time()))) if self._is_embedded else head

    def rules(self) -> MarketRules:
        return self._market.rules(block=self._head())

    def escrow(self, terms: EscrowTerms) -> EscrowState:
        return self._market.escrow(terms, block=self._head())

    def payout(self, round_: RoundId) -> RoundState:
        return self._market.payout(round_, block=self._head())

    def committed_at(self, study: Bytes32, result: Bytes32) -> UnixSeconds:
        return self._market.committed_at(study, self._custodian, result, block=self._head())

    def is_claimed(self, round_: RoundId, index: int) -> bool:
        return self._market.is_claimed(round_, index, block=self._head())

    def is_donation(self, account: Address) -> bool:
        return self._market.is_donation(account, block=self._head())

    def study_of_payee(self, account: Address) -> Bytes32:
        return self._market.study_of_payee(account, block=self._head())

    def stock(self) -> int:
        if self.is_test_token and not self._is_made():
            return 0
        return self._token().balance(self.office, block=self._head())

    def deposits(self, terms: EscrowTerms) -> Sequence[Deposit]:
        event = self._market.artifact.topic("EscrowFunded")
        topics = ["0x" + event.hex(), "0x" + terms.escrow_id.hex()]
        found = []
        for receipt in self._effects.search(self._market.address, topics):
            (log,) = receipt.logs
            told = self._market.artifact.events[log.topics[0]].decode(log.topics, log.data)
            found.append(Deposit(told["received"], receipt.block_number, receipt.transaction_hash))
        return found

    def own_funding(self, terms: EscrowTerms, amount: int) -> Sequence[UnsignedTransaction]:
        calls = (self._token().approve(self.market, amount), self._market.fund(terms, amount))
        first, price = self._chain.next_nonce(terms.funder), self._chain.gas_price
        return [
            unsigned(call, nonce=first + number, gas_price=price, chain_id=self.chain_id)
            for number, call in enumerate(calls)
        ]

    def check_signed(self, raws: Sequence[bytes], terms: EscrowTerms, amount: int) -> None:
        calls = (self._token().approve(self.market, amount), self._market.fund(terms, amount))
        check_signed(raws, calls, signer=terms.funder, chain_id=self.chain_id)

    def send_signed(self, raws: Sequence[bytes]) -> None:
        for raw in raws:
            transaction = signed(raw)
            if not self._is_included(transaction.hash):
                (inclusion,) = self._chain.offer([transaction])()
                if not inclusion.succeeded:
                    raise LedgerRejected("Reverted")
                self._final(Receipt(inclusion.block_number, inclusion.transaction_hash, inclusion.logs))

    def claim_call(
        self, terms: EscrowTerms, result: Bytes32, payment: Payment, proof: Sequence[Bytes32]
    ) -> ChainCall:
        return _open(self._market.claim(terms, result, payment, proof))

    def committed(self) -> Sequence[tuple[Bytes32, Bytes32]]:
        """Every result that this custodian committed to, with its study, in chain order."""
        told = self._told("ResultCommitted", None, self._custodian)
        return [(Bytes32(each["study"]), Bytes32(each["result"])) for each in told]

    def proposed(self) -> Sequence[tuple[RoundId, int, Bytes32]]:
        """Every payout that this custodian proposed: its id, attempt and root, in chain order."""
        own = {each["escrow"] for each in self._told("EscrowFunded") if each["terms"][1] == self._custodian}
        return [
            (RoundId(Bytes32(each["round"])), each["attempt"], Bytes32(each["root"]))
            for each in self._told("PayoutProposed")
            if each["escrow"] in own
        ]

    # --- the office's money

    def issue(self, issue: Bytes32, to: Address, amount: int) -> Receipt:
        self._make_token()
        token = self._token()
        effect = Effect(token.artifact, token.address, "Issued", issue)
        return self._final(self._effects.once(token.issue(issue, to, amount), effect))

    def allow(self, amount: int) -> Receipt:
        return self._final(self._relayer.submit(self._token().approve(self.market, amount)))

    def fund(self, terms: EscrowTerms, amount: int) -> Receipt:
        return self._final(self._relayer.submit(self._market.fund(terms, amount)))

    # --- results and payouts

    def commit(self, study: Bytes32, rules: Bytes32, result: Bytes32) -> Receipt:
        def fits(found: Mapping[str, Any]) -> bool:
            return bool((found["custodian"], found["result"]) == (self._custodian, result))

        return self._once(self._market.commit(study, rules, result), "ResultCommitted", study, fits)

    def propose(self, terms: EscrowTerms, result: Bytes32, root: Bytes32, total: int) -> Receipt:
        def fits(found: Mapping[str, Any]) -> bool:
            return bool(found["root"] == root)  # over random salts: of this attempt alone

        key = _round(terms, result)
        return self._once(self._market.propose(terms, result, root, total), "PayoutProposed", key, fits)

    def object(
        self, terms: EscrowTerms, result: Bytes32, attempt: int, objector: Address, signature: bytes
    ) -> None:
        try:
            self._send(self._market.object(terms, result, attempt, objector, signature))
        except LedgerRejected:
            state = self.payout(_round(terms, result))
            if not (state.attempt == attempt and state.objected):
                raise

    def settle(
        self,
        terms: EscrowTerms,
        result: Bytes32,
        attempt: int,
        stands: bool,
        approvals: Sequence[BoardApproval],
    ) -> None:
        def fits(found: Mapping[str, Any]) -> bool:
            return bool(found["attempt"] == attempt)

        call = self._market.settle(terms, result, attempt, stands, _signed(approvals))
        self._once(call, "PayoutUpheld" if stands else "PayoutRejected", _round(terms, result), fits)

    def close(self, terms: EscrowTerms, result: Bytes32) -> None:
        self._send(self._market.close(terms, result))  # again it does nothing

    def release(self, terms: EscrowTerms) -> None:
        if not self.escrow(terms).released:
            self._send(self._market.release(terms))

    def refund(self, terms: EscrowTerms) -> None:
        try:
            self._send(self._market.refund(terms))
        except LedgerRejected as refusal:
            back = Effect(self._market.artifact, self._market.address, "EscrowRefunded", terms.escrow_id)
            if refusal.name != "EscrowEmpty" or self._effects.find(back) is None:
                raise

    def claim(
        self, terms: EscrowTerms, result: Bytes32, payment: Payment, proof: Sequence[Bytes32]
    ) -> Receipt:
        def fits(found: Mapping[str, Any]) -> bool:
            return bool(found["index"] == payment.index)

        call = self._market.claim(terms, result, payment, proof)
        return self._once(call, "PaymentClaimed", _round(terms, result), fits)

    def name_donation(self, account: Address, approvals: Sequence[BoardApproval]) -> None:
        if not self.is_donation(account):
            self._send(self._market.name_donation(account, _signed(approvals)))

    # --- inside

    def _head(self) -> BlockNumber:
        return self._chain.view().head_number

    def _token(self) -> Token:
        if self.token is None:
            raise ValueError("no token is configured: ask for it before")
        return Token(self.token, self._chain)

    def _told(self, event: str, *keys: bytes | None) -> list[Mapping[str, Any]]:
        """What the events of this name say that have these topics; None stands for any."""
        contract = self._market.artifact
        topics = [
            "0x" + contract.topic(event).hex(),
            *(None if key is None else "0x" + key.hex() for key in keys),
        ]
        logs = [found.logs[0] for found in self._effects.search(self._market.address, topics)]
        return [contract.events[log.topics[0]].decode(log.topics, log.data) for log in logs]

    def _is_made(self) -> bool:
        """Whether the test token is there. Raises ContractCodeDiffers where something else is."""
        try:
            found = bytes.fromhex(self._chain.rpc().call("eth_getCode", self.token, "latest")[2:])
        except RpcError as error:
            raise LedgerUnavailable(f"The node refused eth_getCode ({error.code}).") from error
        if not found:
            return False
        expected = artifact("TestToken")
        if expected.masked(found) != expected.runtime:
            raise ContractCodeDiffers("The code of TestToken on the chain is not the compiled one.")
        return True

    def _make_token(self) -> None:
        with self._making:
            if self._is_made():
                return
            code = artifact("TestToken").creation_code(self.office)
            made, _ = self._relayer.deploy(code, gas=_DEPLOYMENT_GAS, sender=Sender.PAYMENTS)
            if made != self.token:
                raise ContractCodeDiffers("The payments office made another contract before the test token.")

    def _is_included(self, transaction: Bytes32) -> bool:
        """Raises LedgerRejected where it is in a block and came to nothing."""
        try:
            found = self._chain.rpc().call("eth_getTransactionReceipt", "0x" + transaction.hex())
        except RpcError as error:
            raise LedgerUnavailable(f"The node refused a receipt ({error.code}).") from error
        if found is None:
            return False
        if not parse_inclusion(found).succeeded:
            raise LedgerRejected("Reverted")
        return True

    def _once(self, call: Call, event: str, key: bytes, fits: Callable[[Mapping[str, Any]], bool]) -> Receipt:
        effect = Effect(self._market.artifact, self._market.address, event, key, fits)
        return self._final(self._effects.once(call, effect))

    def _send(self, call: Call) -> None:
        self._final(self._relayer.submit(call))

    def _final(self, receipt: Receipt) -> Receipt:
        return self._effects.await_final(receipt)


def _round(terms: EscrowTerms, result: Bytes32) -> RoundId:
    return round_id(terms.escrow_id, result)


def _signed(approvals: Sequence[BoardApproval]) -> list[Approval]:
    return [Approval(each.member, each.signature) for each in approvals]


def _open(call: Call) -> ChainCall:
    if call.to is None:
        raise ValueError("this makes a contract")
    return ChainCall(call.to, call.data)


def _first_contract_of(account: Address) -> Address:
    return Address(get_create_address(to_checksum_address(account), Nonce(0)))
