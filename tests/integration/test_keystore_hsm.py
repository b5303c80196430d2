"""The key store in an HSM: that its key never leaves, and what each thing that can be wrong is called."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute

from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.epochs import Place
from backend.adapters.keys.hsm import HsmEpochs, HsmKeyStore
from backend.adapters.keys.hsm_errors import (
    HsmModuleMissing,
    HsmPinRefused,
    HsmTokenMissing,
    HsmUnavailable,
)
from backend.adapters.keys.hsm_session import HsmAccess
from backend.adapters.keys.root import Argon2Cost, Passphrase
from backend.errors import AssentError
from backend.keystore import KeyStoreDamaged, KeyStoreInUse, KeyStoreKind, KeyStoreRolledBack
from tests.integration.softhsm import OFFICER_PIN, PIN, epoch_objects, new_token, objects_of, tokens_gone

PASSPHRASE = Passphrase("not used", Argon2Cost(1, 1, 64))


@pytest.fixture
def token() -> HsmAccess:
    return new_token()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def store(directory: Path, token: HsmAccess) -> Iterator[HsmKeyStore]:
    opened = HsmKeyStore(directory, token)
    yield opened
    opened.close()


def refusal(directory: Path, access: HsmAccess) -> AssentError:
    with pytest.raises(AssentError) as caught:
        HsmKeyStore(directory, access)
    return caught.value


def test_epoch_key_cannot_be_taken_out_of_the_token(store: HsmKeyStore) -> None:
    assert isinstance(store._epochs, HsmEpochs)

    def inspect(session: pkcs11.Session) -> None:
        (key,) = session.get_objects()
        assert (key[Attribute.SENSITIVE], key[Attribute.EXTRACTABLE]) == (True, False)
        assert (key[Attribute.ALWAYS_SENSITIVE], key[Attribute.NEVER_EXTRACTABLE]) == (True, True)
        assert key[Attribute.VALUE_LEN] == 32
        assert not any(key[use] for use in (Attribute.WRAP, Attribute.UNWRAP, Attribute.DERIVE))
        with pytest.raises(pkcs11.PKCS11Error):
            _ = key[Attribute.VALUE]

    store._epochs._session.call(inspect)


def test_page_key_opens_in_its_place_and_under_its_epoch_only(store: HsmKeyStore) -> None:
    ring, secret = store._keyring, store.get_or_create("salt", "s")
    wrapped = ring.wrap_page_key(1, 1, secret)
    assert ring.unwrap_page_key(1, 1, wrapped) == secret
    assert ring.wrap_page_key(1, 1, secret) != wrapped
    flipped = bytes([*wrapped[:-1], wrapped[-1] ^ 1])
    for page, version, data in ((2, 1, wrapped), (1, 2, wrapped), (1, 1, flipped), (1, 1, wrapped[:-1])):
        with pytest.raises(KeyStoreDamaged):
            ring.unwrap_page_key(page, version, data)
    store.rotate_root()
    with pytest.raises(KeyStoreDamaged):
        store._keyring.unwrap_page_key(1, 1, wrapped)
    with pytest.raises(KeyStoreRolledBack):  # the object of the old epoch is gone
        ring.unwrap_page_key(1, 1, wrapped)


def test_module_that_is_not_there_or_is_none_is_named(directory: Path, token: HsmAccess) -> None:
    for module in ("/nowhere/libpkcs11.so", "/etc/hostname"):
        error = refusal(directory, replace(token, module=module))
        assert isinstance(error, HsmModuleMissing)
        assert error.code == "hsm_module"


def test_token_that_is_not_there_is_named(directory: Path, token: HsmAccess) -> None:
    error = refusal(directory, replace(token, token_label="another"))
    assert isinstance(error, HsmTokenMissing)
    assert error.code == "hsm_token"


def test_wrong_pin_is_named_and_not_tried_twice(directory: Path, token: HsmAccess) -> None:
    error = refusal(directory, replace(token, pin="0000-wrong"))
    assert isinstance(error, HsmPinRefused)
    assert error.code == "hsm_pin"
    epochs = HsmEpochs(replace(token, pin="1111-later"))
    with pytest.raises(HsmPinRefused):
        epochs._session.call(lambda session: None)
    officer = (
        pkcs11.lib(token.module).get_token(token_label=token.token_label).open(rw=True, so_pin=OFFICER_PIN)
    )
    officer.init_pin("1111-later")
    officer.close()
    with pytest.raises(HsmPinRefused):  # it would be right now, but a token locks after a few wrong ones
        epochs._session.call(lambda session: None)
    HsmKeyStore(directory, replace(token, pin="1111-later")).close()


def test_settings_and_errors_do_not_show_the_pin(directory: Path, token: HsmAccess) -> None:
    assert PIN not in repr(token)
    error = refusal(directory, replace(token, token_label="another"))
    assert PIN not in f"{error!r} {error.detail}"


def test_store_of_another_kind_is_named(directory: Path, token: HsmAccess, tmp_path: Path) -> None:
    HsmKeyStore(directory, token).close()
    with pytest.raises(KeyStoreKind) as caught:
        EmbeddedKeyStore(directory, PASSPHRASE)
    assert caught.value.code == "keystore_kind"
    EmbeddedKeyStore(tmp_path / "other", PASSPHRASE).close()
    assert isinstance(refusal(tmp_path / "other", token), KeyStoreKind)
    HsmKeyStore(directory, token).close()


def test_another_token_does_not_open_the_store(store: HsmKeyStore, directory: Path) -> None:
    store.close()
    error = refusal(directory, new_token())
    assert isinstance(error, KeyStoreRolledBack)
    assert error.code == "keystore_rolled_back"


def test_second_process_is_refused(store: HsmKeyStore, directory: Path, token: HsmAccess) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from backend.adapters.keys.hsm import HsmAccess, HsmKeyStore\n"
        "from backend.errors import AssentError\n"
        "try:\n    HsmKeyStore(Path(sys.argv[1]), HsmAccess(*sys.argv[2:]))\n"
        "except AssentError as error:\n    print(error.code)\n"
    )
    arguments = [str(directory), token.module, token.token_label, token.pin]
    child = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.split() == [KeyStoreInUse.code]


def test_orphaned_object_of_another_epoch_is_destroyed_at_the_next_opening(
    store: HsmKeyStore, directory: Path, token: HsmAccess
) -> None:
    other = HsmKeyStore(directory.with_name("other"), token)
    kept = store.get_or_create("salt", "kept")
    store._epochs.make(_place(store), 7)
    assert len(epoch_objects(token)) == 3
    store.close()
    again = HsmKeyStore(directory, token)
    assert again.get("salt", "kept") == kept
    assert sorted(epoch_objects(token)) == sorted(
        _place(opened).store_id + (1).to_bytes(8) for opened in (again, other)
    )
    again.close()
    other.close()


def test_lost_session_is_opened_again(store: HsmKeyStore, token: HsmAccess) -> None:
    made = store.get_or_create("salt", "s")
    pkcs11.lib(token.module).reinitialize()  # ends every session of this process
    store.erase("salt", "s")
    assert store.get_or_create("salt", "s") != made


def test_token_that_goes_away_makes_the_store_unavailable_until_it_is_back(
    store: HsmKeyStore, token: HsmAccess
) -> None:
    kept = store.get_or_create("salt", "kept")
    with tokens_gone():
        pkcs11.lib(token.module).reinitialize()
        assert store.get("salt", "kept") == kept  # what was opened is still read
        with pytest.raises(HsmUnavailable) as caught:
            store.erase("salt", "other than kept") or store.erase("salt", "kept")
        assert caught.value.code == "hsm_unavailable"
        with pytest.raises(HsmUnavailable):
            store.get("salt", "kept")  # which epoch counts is not known until the HSM says so
    assert store.get("salt", "kept") == kept
    store.erase("salt", "kept")
    assert not store.exists("salt", "kept")


def test_hsm_that_hangs_is_given_up_in_time_and_used_again_when_it_answers(
    directory: Path, token: HsmAccess
) -> None:
    store = HsmKeyStore(directory, replace(token, timeout_seconds=0.5))
    kept = store.get_or_create("salt", "kept")
    (file,) = objects_of(token)
    holder = subprocess.Popen(  # another process holds the file of the key: SoftHSM waits for it
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        for _ in range(3):
            with pytest.raises(HsmUnavailable):
                store.rotate_root()
    finally:
        holder.communicate(b"\n", timeout=30)
    deadline = time.monotonic() + 60
    while True:
        try:
            assert store.get("salt", "kept") == kept
            break
        except HsmUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    store.rotate_root()
    assert store.get("salt", "kept") == kept
    assert len(epoch_objects(token)) == 1
    store.close()


HOLD = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


def _place(store: HsmKeyStore) -> Place:
    return Place(store._store, store._row.id)
