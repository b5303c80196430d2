"""JSON-RPC over one kept-alive web3 provider. Its errors become ours here and go no further.

``w3.eth.call`` spends 1.5 ms of CPU on formatters; the provider beneath it a tenth of that. What is
sent here is built by us, so the formatters have nothing to correct.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from web3 import HTTPProvider, Web3
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from backend.errors import LedgerUnavailable
from backend.waiting import about_to_wait

_CONNECTIONS = 64


class RpcError(Exception):
    """The node answered with an error. Never leaves this package."""

    def __init__(self, code: int, message: str, data: str | None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.data = data  # hex revert data, where the call reverted


class Asking(Protocol):
    """What reads are asked of: one node, or two that are held against each other."""

    def call(self, method: str, *params: Any) -> Any:
        """Return the result. Raise RpcError for a node's own error, LedgerUnavailable for everything else."""
        ...

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        """Return, in order, each result or its RpcError. Raise LedgerUnavailable."""
        ...


class Rpc:
    """Calls to one node, safe for many threads. Every call ends within ``timeout_seconds``."""

    def __init__(
        self, url: str, *, timeout_seconds: float, on_silence: Callable[[], None] = lambda: None
    ) -> None:
        """``on_silence`` is called, from the thread that asked, when the node did not answer at all."""
        self._on_silence = on_silence
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between us and our own node
        self._session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))
        self._session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))
        self.provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_seconds},
            session=self._session,
            exception_retry_configuration=None,
        )
        self.web3 = Web3(self.provider)

    def call(self, method: str, *params: Any) -> Any:
        """Return the result.

        Raise RpcError for the node's own error, LedgerUnavailable for everything else.
        """
        answer = self._guarded(lambda: self.provider.make_request(RPCEndpoint(method), params))
        return _result(answer)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        """Send all in one request; return, in order, each result or its RpcError.

        The node may run them at once.
        """
        if not calls:
            return []
        requests_made = [(RPCEndpoint(method), list(parameters)) for method, parameters in calls]
        answers = self._guarded(lambda: self.provider.make_batch_request(requests_made))
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise LedgerUnavailable("The node answered a batch with something else.")
        return [_result_or_error(answer) for answer in answers]

    def _guarded(self, ask: Callable[[], Any]) -> Any:
        about_to_wait()
        try:
            return ask()
        except (requests.Timeout, requests.ConnectionError) as error:
            self._on_silence()
            raise LedgerUnavailable(f"The node did not answer ({type(error).__name__}).") from error
        except (requests.RequestException, Web3Exception, OSError, ValueError) as error:
            raise LedgerUnavailable(f"The node gave no usable answer ({type(error).__name__}).") from error

    def close(self) -> None:
        self._session.close()


def _result(answer: Any) -> Any:
    found = _result_or_error(answer)
    if isinstance(found, RpcError):
        raise found
    return found


def _result_or_error(answer: Any) -> Any | RpcError:
    error = answer.get("error") if isinstance(answer, dict) else {"message": "malformed answer"}
    if error is None:
        return answer.get("result")
    if not isinstance(error, dict):
        return RpcError(0, str(error), None)
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data")
    return RpcError(
        int(error.get("code", 0)), str(error.get("message", "")), data if isinstance(data, str) else None
    )
