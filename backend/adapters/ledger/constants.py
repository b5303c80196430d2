"""What the constructors fixed, which the comparison of code masks: each contract is asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Any, Final

from backend.adapters.ledger.abi import artifact, decode_or_none
from backend.adapters.ledger.deployment_file import SUCCEEDED, Deployment, Place

# Which contract names which other of its generation in its code; masking the immutables hides that.
LINKS: Final = (
    ("ParticipantRegistry", "authority", "AccessManager"),
    ("ConsentRegistry", "PARTICIPANTS", "ParticipantRegistry"),
    ("ConsentRegistry", "RECOVERY", "Recovery"),
    ("Recovery", "REGISTRY", "ConsentRegistry"),
    ("Recovery", "PARTICIPANTS", "ParticipantRegistry"),
    ("RecordRegistry", "PARTICIPANTS", "ParticipantRegistry"),
    ("AuditAnchor", "PARTICIPANTS", "ParticipantRegistry"),
    ("ResearchMarket", "PARTICIPANTS", "ParticipantRegistry"),
    ("EmergencyAccess", "PARTICIPANTS", "ParticipantRegistry"),
    ("EmergencyAccess", "CONSENTS", "ConsentRegistry"),
    ("KeyRegistry", "CONSENTS", "ConsentRegistry"),
    ("KeyRegistry", "RECOVERY", "Recovery"),
)
# Which name, with SUCCESSOR_OF, the one before them.
SUCCESSORS: Final = ("ConsentRegistry", "KeyRegistry", "EmergencyAccess")
SUCCESSOR_OF: Final = "PREDECESSOR"
Ask = Callable[[str, bytes], bytes]  # a view's answer, from an address and call data


def differing_constants(deployment: Deployment, place: Place, ask: Ask) -> Iterator[tuple[str, str, str]]:
    """Yield each view that does not say what the deployment does: its name, what it says, what it should."""
    for view, value in _constants(deployment, place):
        function = artifact(place.artifact).functions[view]
        found = decode_or_none(function.outputs, ask(place.address, function.encode(())))
        shown = "no usable answer" if found is None else str(found[0])
        if shown.lower() != str(value).lower():
            yield view, shown, str(value)


def _constants(deployment: Deployment, place: Place) -> Iterator[tuple[str, Any]]:
    """Yield each view of what a contract's constructor fixed, and what it has to say."""
    for contract, view, other in LINKS:
        if contract == place.name:
            yield view, _address(deployment, other, place.generation)
    if place.generation and place.name in SUCCESSORS:
        yield SUCCESSOR_OF, _address(deployment, place.name, place.generation - 1)
    if place.name == "Recovery":
        yield "RECOVERY_DELAY", deployment.recovery_delay_seconds
    if place.name == "ResearchMarket":
        yield "marketTerms", astuple(deployment.market_terms)


def _address(deployment: Deployment, name: str, generation: int) -> str:
    """Return where a contract of one generation is, or the one that stays."""
    wanted = generation if name in SUCCEEDED else 0
    return next(place.address for place in deployment.places(name) if place.generation == wanted)
