"""One logged-in session with a token (PKCS#11 v2.40), opened again when it is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pkcs11

from backend.adapters.keys.hsm_errors import (
    HsmModuleMissing,
    HsmPinRefused,
    HsmTokenLocked,
    HsmTokenMissing,
    HsmUnavailable,
    meaning,
)
from backend.adapters.keys.hsm_worker import ModuleWorker
from backend.errors import AssentError

T = TypeVar("T")

_USER_PIN_LOCKED: Final = 0x0004_0000  # CKF_USER_PIN_LOCKED


@dataclass(frozen=True, slots=True)
class HsmAccess:
    """``module``: path of the PKCS#11 library. ``timeout_seconds``: for one call."""

    module: str
    token_label: str
    pin: str = field(repr=False)
    timeout_seconds: float = 10.0


class HsmSession:
    def __init__(self, access: HsmAccess) -> None:
        self._access = access
        self._worker = ModuleWorker.of(access.module)
        self._session: pkcs11.Session | None = None
        self._opened = 0
        self._refused: AssentError | None = None

    @property
    def generation(self) -> int:
        """Rises with each session: what was found in an older one must be looked up again."""
        return self._opened

    def call(self, work: Callable[[pkcs11.Session], T]) -> T:
        """Run ``work`` in a session; once more in a new one when that was lost, so it must be safe to repeat.

        Raises HsmUnavailable, or what is wrong with module, token or PIN. A refused PIN is not tried again.
        """
        return self._worker.run(lambda: self._attempt(work), timeout_seconds=self._access.timeout_seconds)

    def close(self) -> None:
        """End the session if the HSM answers."""
        try:
            self._worker.run(self._drop, timeout_seconds=self._access.timeout_seconds)
        except HsmUnavailable:
            return  # it ends with the process

    def _attempt(self, work: Callable[[pkcs11.Session], T]) -> T:
        for last in (False, True):
            try:
                return work(self._session or self._open(reset=last))
            except pkcs11.PKCS11Error as error:
                ours = meaning(error)
                if self._opened and isinstance(ours, HsmTokenMissing):
                    ours = HsmUnavailable("the token is gone")  # it was there
                if last or not isinstance(ours, HsmUnavailable):
                    raise ours from error
                self._drop()
        raise AssertionError("two attempts")

    def _open(self, *, reset: bool) -> pkcs11.Session:
        """Log in. ``reset``: initialise the module anew, as for a token that came after its start."""
        if self._refused is not None:
            raise self._refused
        try:
            library = pkcs11.lib(self._access.module)
        except pkcs11.PKCS11Error as error:
            raise HsmModuleMissing(f"{self._access.module} does not load") from error
        if reset:
            library.reinitialize()
        try:
            token = library.get_token(token_label=self._access.token_label)
        except pkcs11.NoSuchToken:
            if reset:
                raise
            library.reinitialize()
            token = library.get_token(token_label=self._access.token_label)
        if int(token.flags) & _USER_PIN_LOCKED:
            raise HsmTokenLocked
        try:
            self._session = token.open(rw=True, user_pin=self._access.pin)
        except pkcs11.UserAlreadyLoggedIn:  # by another session of this process
            self._session = token.open(rw=True)
        except pkcs11.PKCS11Error as error:
            ours = meaning(error)
            if isinstance(ours, HsmPinRefused | HsmTokenLocked):
                self._refused = ours
            raise
        self._opened += 1
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error:
                return  # it was lost
