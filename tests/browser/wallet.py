"""A browser wallet for tests: real keys, real signatures, and the manners of the wallets people have.

It refuses typed data for a chain that is not active, does not know our chain until it is added, asks the
added chain's node who it is, and can decline, be locked, or never answer.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from playwright.sync_api import BrowserContext, Page

_SCRIPT: Final = Path(__file__).with_name("wallet.js")
MAINNET: Final = 1
DECLINED: Final = 4001
_UNKNOWN_CHAIN: Final = 4902
_INVALID: Final = -32602
_LOCKED: Final = 4100
_PATIENCE_SECONDS: Final = 20.0


class Declines(Exception):
    """Answered to the page as the error it carries."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class PageWallet:
    """``shown``: the typed data it was asked to sign, as a wallet shows it to its user."""

    account: Any = field(default_factory=Account.create)
    chain: int = MAINNET
    chains: dict[int, str] = field(default_factory=lambda: {MAINNET: ""})
    shown: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    declines: bool = False
    is_locked: bool = False
    is_silent: bool = False  # about signing: the question stays open for ever
    other_account: str | None = None  # selected in the wallet instead of the one that signed in

    @property
    def address(self) -> str:
        return str(self.account.address)

    def install(self, context: BrowserContext) -> None:
        """Put it into every page of a browser context."""
        context.expose_function("askWallet", self.answer)
        context.add_init_script(path=_SCRIPT)

    def await_asked(self, page: Page, method: str) -> None:
        """Let the page go on until it has asked this: what it says it does, it may be about to do."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while method not in self.asked:
            assert time.monotonic() < deadline, f"the wallet was not asked for {method}"
            page.wait_for_timeout(50)

    def answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        """Return what the page's promise comes to."""
        self.asked.append(method)
        try:
            if self.is_silent and "sign" in method.lower():
                return {"silent": True}
            return {"result": self._do(method, params)}
        except Declines as refusal:
            return {"code": refusal.code, "message": str(refusal)}

    def _do(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_chainId":
                return hex(self.chain)
            case "eth_requestAccounts" | "eth_accounts":
                return self._accounts(asking=method == "eth_requestAccounts")
            case "wallet_switchEthereumChain":
                wanted = int(params[0]["chainId"], 16)
                if wanted not in self.chains:
                    raise Declines(_UNKNOWN_CHAIN, "Unrecognized chain ID. Try adding the chain first.")
                self._agree()
                self.chain = wanted
                return None
            case "wallet_addEthereumChain":
                return self._add(params[0])
            case "personal_sign":
                self._agree()
                text = bytes.fromhex(params[0].removeprefix("0x")).decode()
                return self._signed(encode_defunct(text=text), params[1])
            case "eth_signTypedData_v4":
                return self._sign_typed(params)
        raise Declines(-32601, f"no such method: {method}")

    def _accounts(self, *, asking: bool) -> list[str]:
        if self.is_locked:
            if asking:
                raise Declines(_LOCKED, "locked")
            return []
        return [self.other_account or self.address]

    def _add(self, chain: dict[str, Any]) -> None:
        self._agree()
        [url] = chain["rpcUrls"]
        call = {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []}
        answered = httpx.post(url, json=call, headers={"Origin": "chrome-extension://wallet"}, timeout=10)
        if answered.json()["result"] != chain["chainId"]:
            raise Declines(_INVALID, "the node serves another chain")
        self.chains[int(chain["chainId"], 16)] = url

    def _sign_typed(self, params: list[Any]) -> str:
        typed = json.loads(params[1])
        if int(typed["domain"]["chainId"]) != self.chain:
            raise Declines(_INVALID, "Provided chainId must match the active chainId")
        self.shown.append(typed)
        self._agree()
        return self._signed(encode_typed_data(full_message=typed), params[0])

    def _signed(self, message: Any, by: str) -> str:
        if by.lower() != self.address.lower():
            raise Declines(_LOCKED, "not an account of this wallet")
        return "0x" + bytes(self.account.sign_message(message).signature).hex()

    def _agree(self) -> None:
        if self.declines:
            raise Declines(DECLINED, "User rejected the request.")
