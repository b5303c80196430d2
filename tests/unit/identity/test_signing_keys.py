"""Signing keys: rotation with overlap, at once after a compromise, by one process only."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backend.identity.errors import IdentityRecordTampered, TokenInvalid
from backend.identity.signing_keys import PUBLISH_AHEAD_SECONDS
from tests.unit.identity.memory import MemorySigningKeyStates
from tests.unit.identity.world import PATIENT, World, at_once


def _published(world: World) -> list[str]:
    return [key["kid"] for key in world.ring.public_set()["keys"]]


def test_published_keys_are_public_and_say_what_they_are_for(world: World) -> None:
    (key,) = world.ring.public_set()["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
    assert json.dumps(key)


def test_same_secret_gives_the_same_key_after_a_restart(world: World) -> None:
    token = world.sign_in(PATIENT).access_token
    other = world.again()
    assert _published(other) == _published(world)
    other.identity.authenticate(token)


def test_rotate_publishes_before_it_signs_and_keeps_the_old_until_its_tokens_are_over(world: World) -> None:
    (old,) = _published(world)
    new = world.ring.rotate(by="")
    assert _published(world) == [old, new]
    assert world.ring.signer().key_id == old
    world.clock.now += PUBLISH_AHEAD_SECONDS - 1
    last = world.sign_in(PATIENT).access_token
    world.clock.now += 1
    assert world.ring.signer().key_id == new
    world.clock.now += 1798
    world.identity.authenticate(last)
    world.clock.now += 180
    assert _published(world) == [new]


def test_rotate_while_a_rotation_is_under_way_makes_no_further_key(world: World) -> None:
    first = world.ring.rotate(by="")
    assert world.ring.rotate(by="") == first
    assert len(_published(world)) == 2


def test_rotate_in_two_processes_at_once_makes_one_key(world: World) -> None:
    world.ring.signer()
    worlds = [world, *(world.again() for _ in range(7))]
    keys, refused = at_once(8, lambda number: worlds[number].ring.rotate(by=""))
    assert not refused
    assert len(set(keys)) == 1
    assert len(world.stores.signing_keys.all()) == 2


def test_first_key_made_in_eight_processes_at_once_is_one(world: World) -> None:
    worlds = [world, *(world.again() for _ in range(7))]
    keys, refused = at_once(8, lambda number: worlds[number].ring.signer().key_id)
    assert not refused
    assert len(set(keys)) == 1


def test_rotate_after_a_compromise_refuses_old_tokens_at_once(world: World) -> None:
    token = world.sign_in(PATIENT).access_token
    new = world.ring.rotate(by="", compromised=True)
    assert _published(world) == [new]
    with pytest.raises(TokenInvalid):
        world.identity.authenticate(token)
    world.identity.authenticate(world.sign_in(PATIENT).access_token)


def test_rotate_after_a_compromise_drops_a_key_that_was_waiting_too(world: World) -> None:
    waiting = world.ring.rotate(by="")
    new = world.ring.rotate(by="", compromised=True)
    assert new != waiting
    assert _published(world) == [new]


def test_compromise_is_known_to_another_process_within_a_minute(world: World) -> None:
    other = world.again()
    token = world.sign_in(PATIENT).access_token
    other.identity.authenticate(token)
    world.ring.rotate(by="", compromised=True)
    world.clock.now += 60
    with pytest.raises(TokenInvalid):
        other.identity.authenticate(token)


def test_key_of_another_process_is_found_when_a_token_names_it(world: World) -> None:
    other = world.again()
    other.ring.signer()
    world.clock.now += 6
    world.ring.rotate(by="", compromised=True)
    token = world.sign_in(PATIENT).access_token
    other.identity.authenticate(token)


def test_state_changed_in_the_index_is_found(world: World) -> None:
    world.ring.signer()
    states = world.stores.signing_keys
    assert isinstance(states, MemorySigningKeyStates)
    states.rows[1] = replace(states.rows[1], sign_from=states.rows[1].sign_from + 1)  # type: ignore[arg-type]
    with pytest.raises(IdentityRecordTampered):
        world.again().ring.signer()
