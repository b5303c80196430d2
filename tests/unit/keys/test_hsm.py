"""Parts of the HSM adapter that need no HSM: what a driver's error means, a late call, the settings."""

from __future__ import annotations

import threading
from pathlib import Path

import pkcs11
import pytest
from pydantic import ValidationError

from backend.adapters.keys.hsm_errors import HsmUnavailable, meaning
from backend.adapters.keys.hsm_worker import ModuleWorker
from backend.settings import Settings


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (pkcs11.NoSuchToken(), "hsm_token"),
        (pkcs11.MultipleTokensReturned(), "hsm_token"),
        (pkcs11.PinIncorrect(), "hsm_pin"),
        (pkcs11.PinLenRange(), "hsm_pin"),
        (pkcs11.PinLocked(), "hsm_locked"),
        (pkcs11.PinExpired(), "hsm_locked"),
        (pkcs11.UserPinNotInitialized(), "hsm_locked"),
        (pkcs11.MechanismInvalid(), "hsm_unfit"),
        (pkcs11.TemplateInconsistent(), "hsm_unfit"),
        (pkcs11.TokenWriteProtected(), "hsm_unfit"),
        (pkcs11.SessionHandleInvalid(), "hsm_unavailable"),
        (pkcs11.DeviceRemoved(), "hsm_unavailable"),
        (pkcs11.GeneralError(), "hsm_unavailable"),
    ],
)
def test_meaning_gives_each_fault_its_code(error: pkcs11.PKCS11Error, code: str) -> None:
    assert meaning(error).code == code


def test_worker_gives_up_a_late_call_and_asks_nothing_more_until_it_ended() -> None:
    worker, go, asked = ModuleWorker(), threading.Event(), []
    with pytest.raises(HsmUnavailable):
        worker.run(go.wait, timeout_seconds=0.01)
    with pytest.raises(HsmUnavailable):
        worker.run(lambda: asked.append(1), timeout_seconds=60)
    go.set()
    ended = threading.Event()
    while not ended.is_set():
        try:
            worker.run(ended.set, timeout_seconds=60)
        except HsmUnavailable:
            continue
    assert asked == []


def test_worker_passes_on_what_the_call_returns_or_raises() -> None:
    worker = ModuleWorker()
    assert worker.run(lambda: 7, timeout_seconds=60) == 7
    with pytest.raises(KeyError):
        worker.run(lambda: {}["none"], timeout_seconds=60)
    with pytest.raises(TimeoutError):  # the call's own, not ours
        worker.run(_raise_timeout, timeout_seconds=60)


def _raise_timeout() -> None:
    raise TimeoutError


def test_worker_is_one_for_a_module() -> None:
    assert ModuleWorker.of("a.so") is ModuleWorker.of("a.so")
    assert ModuleWorker.of("a.so") is not ModuleWorker.of("b.so")


def test_settings_with_an_hsm_need_all_of_it_and_hide_the_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"pkcs11_module": "/lib/hsm.so", "pkcs11_token_label": "assent", "pkcs11_pin": "4711"}
    for missing in given:
        partly = {name: value for name, value in given.items() if name != missing}
        with pytest.raises(ValidationError, match="ASSENT_PKCS11_MODULE"):
            Settings(_env_file=None, keystore="pkcs11", **partly)
    settings = Settings(
        _env_file=None,
        keystore="pkcs11",
        environment="production",  # no passphrase is needed: the HSM's PIN opens
        public_url="https://assent.example",
        **given,
    )
    assert settings.hsm_token is not None
    assert settings.hsm_token.module == Path("/lib/hsm.so")
    assert "4711" not in repr(settings)
