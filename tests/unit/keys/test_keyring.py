from __future__ import annotations

import pytest

from backend.adapters.keys.epochs import SoftwareEpochKey
from backend.adapters.keys.keyring import Keyring, blind_name
from backend.keystore import KeyStoreDamaged, Secret

STORE = b"s" * 16


def test_keyring_opens_what_it_wrapped_in_its_place_only() -> None:
    ring, page_key, secret = (
        Keyring(STORE, SoftwareEpochKey(Secret(b"e" * 32))),
        Secret(b"p" * 32),
        Secret(b"x" * 32),
    )
    wrapped = ring.wrap_secret(secret, page_key=page_key, kind="salt", name=b"n")
    assert ring.unwrap_secret(wrapped, page_key=page_key, kind="salt", name=b"n") == secret
    for kind, name in (("audit", b"n"), ("salt", b"m")):
        with pytest.raises(KeyStoreDamaged):
            ring.unwrap_secret(wrapped, page_key=page_key, kind=kind, name=name)
    with pytest.raises(KeyStoreDamaged):
        Keyring(b"t" * 16, SoftwareEpochKey(Secret(b"e" * 32))).unwrap_secret(
            wrapped, page_key=page_key, kind="salt", name=b"n"
        )


def test_keyring_opens_a_page_key_of_its_page_and_epoch_only() -> None:
    ring, page_key = Keyring(STORE, SoftwareEpochKey(Secret(b"e" * 32))), Secret(b"p" * 32)
    wrapped = ring.wrap_page_key(1, 2, page_key)
    assert ring.unwrap_page_key(1, 2, wrapped) == page_key
    with pytest.raises(KeyStoreDamaged):
        ring.unwrap_page_key(2, 2, wrapped)
    with pytest.raises(KeyStoreDamaged):
        ring.unwrap_page_key(1, 3, wrapped)
    with pytest.raises(KeyStoreDamaged):
        Keyring(STORE, SoftwareEpochKey(Secret(b"f" * 32))).unwrap_page_key(1, 2, wrapped)
    with pytest.raises(KeyStoreDamaged):
        ring.unwrap_name_key(wrapped, 2)


def test_keyring_remembers_only_the_last_used_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.adapters.keys.keyring._CACHED_PAGES", 2)
    ring, key = Keyring(STORE, SoftwareEpochKey(Secret(b"e" * 32))), Secret(b"p" * 32)
    ring.remember_page(1, key)
    ring.remember_page(2, key)
    assert ring.cached_page(1) == key
    ring.remember_page(3, key)
    assert (ring.cached_page(1), ring.cached_page(2), ring.cached_page(3)) == (key, None, key)


def test_blind_name_depends_on_key_kind_and_name() -> None:
    key, other = Secret(b"a" * 32), Secret(b"b" * 32)
    names = {blind_name(key, "salt", "n"), blind_name(key, "audit", "n"), blind_name(key, "salt", "m")}
    assert len(names | {blind_name(other, "salt", "n")}) == 4


def test_keyring_opens_a_label_in_its_place_only() -> None:
    ring = Keyring(STORE, SoftwareEpochKey(Secret(b"e" * 32)))
    cipher, other = ring.label_cipher(Secret(b"p" * 32)), ring.label_cipher(Secret(b"q" * 32))
    sealed = ring.seal_label("the name", cipher=cipher, kind="salt", name=b"n")
    assert b"the name" not in sealed
    assert ring.open_label(sealed, cipher=cipher, kind="salt", name=b"n") == "the name"
    for opener, kind, name in ((cipher, "audit", b"n"), (cipher, "salt", b"m"), (other, "salt", b"n")):
        with pytest.raises(KeyStoreDamaged):
            ring.open_label(sealed, cipher=opener, kind=kind, name=name)
