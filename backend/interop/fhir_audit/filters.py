"""The parameters that select AuditEvents by codes and references, each as what it reads from a resource.

What is matched is what is shown: a filter looks at the resource that the caller would get. ``purpose`` is as
in R5; everything else is R4's. References are by identifier, since no other resource is served here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from backend.interop.fhir_audit.errors import SearchParameterMalformed

Json = dict[str, Any]
_ACTION: Final = "http://hl7.org/fhir/audit-event-action"
_OUTCOME: Final = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"
_TYPED: Final = re.compile(r"([A-Z][A-Za-z]+)/(.+)", re.ASCII)
_UNESCAPED_COMMA: Final = re.compile(r"(?<!\\),")
_UNESCAPED_BAR: Final = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Token:
    """``system|code``: without a bar any system (None), with nothing before it a code without system ('')."""

    system: str | None
    code: str  # empty: any code of the system

    def takes(self, system: str, code: str) -> bool:
        return (self.system is None or self.system == system) and (not self.code or self.code == code)


@dataclass(frozen=True, slots=True)
class Filter:
    """One parameter: one of its tokens has to be in the resource."""

    name: str
    tokens: tuple[Token, ...]

    def keeps(self, resource: Json) -> bool:
        found = list(READERS[self.name](resource))
        return any(token.takes(*each) for token in self.tokens for each in found)


def split(value: str) -> list[str]:
    """Return the alternatives of a value, still escaped."""
    return _UNESCAPED_COMMA.split(value)


def read_token(text: str, *, field: str) -> Token:
    """Read ``system|code``, ``code``, ``|code`` or ``system|``. Raises SearchParameterMalformed."""
    system, *rest = _UNESCAPED_BAR.split(text)
    if len(rest) > 1 or not text.strip("|"):
        raise SearchParameterMalformed("A token is code, system|code, |code or system|.", field=field)
    if not rest:
        return Token(None, _plain(system))
    return Token(_plain(system), _plain(rest[0]))


def read_reference(text: str, *, field: str) -> Token:
    """Read ``Type/id`` or ``id``; the id is the value of our identifier."""
    token = read_token(text, field=field)
    if token.system is not None:
        raise SearchParameterMalformed(f"For an identifier, say {field}:identifier.", field=field)
    typed = _TYPED.fullmatch(token.code)
    return Token(typed[1], typed[2]) if typed else token


def _plain(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


def _codings(*concepts: Json) -> Iterator[tuple[str, str]]:
    for concept in concepts:
        for coding in concept.get("coding", [concept]):
            yield coding.get("system", ""), coding.get("code", "")


def _whos(resource: Json) -> Iterator[Json]:
    return (agent["who"] for agent in resource["agent"])


def _whats(resource: Json) -> Iterator[Json]:
    return (entity["what"] for entity in resource.get("entity", []) if "what" in entity)


def _observers(resource: Json) -> Iterator[Json]:
    yield resource["source"]["observer"]


def _purposes(resource: Json) -> Iterator[tuple[str, str]]:
    yield from _codings(*resource.get("purposeOfEvent", []))
    for agent in resource["agent"]:
        yield from _codings(*agent.get("purposeOfUse", []))


Pairs = Callable[[Json], Iterator[tuple[str, str]]]


def _identifiers(references: Callable[[Json], Iterator[Json]]) -> Pairs:
    def read(resource: Json) -> Iterator[tuple[str, str]]:
        for reference in references(resource):
            if "identifier" in reference:
                yield reference["identifier"]["system"], reference["identifier"]["value"]

    return read


def _referred(references: Callable[[Json], Iterator[Json]]) -> Pairs:
    def read(resource: Json) -> Iterator[tuple[str, str]]:
        for reference in references(resource):
            if "identifier" in reference:
                yield reference.get("type", ""), reference["identifier"]["value"]

    return read


REFERENCES: Final[Mapping[str, Callable[[Json], Iterator[Json]]]] = MappingProxyType(
    {"agent": _whos, "entity": _whats, "source": _observers}
)
READERS: Final[Mapping[str, Pairs]] = MappingProxyType(
    {
        "action": lambda resource: iter([(_ACTION, resource["action"])]),
        "outcome": lambda resource: iter([(_OUTCOME, resource["outcome"])]),
        "type": lambda resource: _codings(resource["type"]),
        "subtype": lambda resource: _codings(*resource.get("subtype", [])),
        "purpose": _purposes,
        "entity-type": lambda resource: _codings(*(e["type"] for e in resource.get("entity", []))),
        "entity-role": lambda resource: _codings(*(e["role"] for e in resource.get("entity", []))),
        **{name: _referred(references) for name, references in REFERENCES.items()},
        **{f"{name}:identifier": _identifiers(references) for name, references in REFERENCES.items()},
    }
)
