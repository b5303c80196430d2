"""Known answers over time: sequences of commands, and what is true of each consent at chosen seconds."""

from __future__ import annotations

from typing import Any

from scripts.vectors import consent_states, delegation_states, office_states
from scripts.vectors.deployment import deployment_json


def state_vectors() -> dict[str, Any]:
    """Return the deployment and every story."""
    stories = [*consent_states.stories(), *delegation_states.stories(), *office_states.stories()]
    if len({story.name for story in stories}) != len(stories):
        raise ValueError("two stories have one name")
    return {**deployment_json(), "sequences": [story.to_json() for story in stories]}
