"""Settings of a block store of several nodes: what cannot mean what it says is refused at the start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backend.settings import Settings

ONE, TWO, THREE = (f"/ip4/192.0.2.{number}/tcp/5001" for number in (1, 2, 3))


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


@pytest.mark.parametrize(
    ("address", "pins", "needed"),
    [
        (ONE, None, 1),
        (f"{ONE},{TWO}", None, 2),
        (f"{ONE}, {TWO}, {THREE}", None, 2),
        (f"{ONE},{TWO},{THREE}", 3, 3),
        (f"{ONE},{TWO}", 1, 1),
        ("/dns4/kubo/tcp/5001", None, 1),
    ],
)
def test_two_of_several_nodes_are_needed_unless_another_number_is_given(
    address: str, pins: int | None, needed: int
) -> None:
    found = settings(kubo_address=address, kubo_pins=pins)
    assert found.kubo_pins_needed == needed
    assert len(found.kubo_addresses) == address.count(",") + 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kubo_address": f"{ONE},{TWO}", "kubo_pins": 3}, "ASSENT_KUBO_PINS"),
        ({"kubo_address": f"{ONE},{ONE}"}, "named twice"),
        ({"kubo_address": f"{ONE},"}, "no address"),
        ({"kubo_address": "http://192.0.2.1:5001"}, "no address"),
        ({"kubo_address": ""}, "no address"),
        ({"kubo_pins": 0}, "greater than or equal to 1"),
    ],
)
def test_nodes_and_numbers_that_cannot_be_meant_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**given)
