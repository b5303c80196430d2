"""The GA4GH Data Use Ontology: its terms and what each needs as an argument.

Source: DUO release table (EBISPOT/DUO, ``duo.csv``, CC-BY-4.0): ids, shorthands and labels.
A term is written ``DUO:0000007:MONDO_0005148``: id, then its argument where the term has one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from backend.research.errors import DuoTermInvalid


class Argument(StrEnum):
    """What follows a term's second colon."""

    NONE = "none"
    TEXT = "text"  # a disease, region, institution, person, project or kind of research, as an opaque code
    MONTHS = "months"  # a whole number of months
    DATE = "date"  # YYYYMMDD


@dataclass(frozen=True, slots=True)
class DuoDefinition:
    id: str
    shorthand: str
    label: str
    is_permission: bool
    argument: Argument = Argument.NONE


_TABLE = (
    DuoDefinition("DUO:0000004", "NRES", "no restriction", True),
    DuoDefinition("DUO:0000042", "GRU", "general research use", True),
    DuoDefinition("DUO:0000006", "HMB", "health or medical or biomedical research", True),
    DuoDefinition("DUO:0000007", "DS", "disease specific research", True, Argument.TEXT),
    DuoDefinition("DUO:0000011", "POA", "population origins or ancestry research only", True),
    DuoDefinition("DUO:0000012", "RS", "research specific restrictions", False, Argument.TEXT),
    DuoDefinition("DUO:0000015", "NMDS", "no general methods research", False),
    DuoDefinition("DUO:0000016", "GSO", "genetic studies only", False),
    DuoDefinition("DUO:0000018", "NPUNCU", "not for profit, non commercial use only", False),
    DuoDefinition("DUO:0000019", "PUB", "publication required", False),
    DuoDefinition("DUO:0000020", "COL", "collaboration required", False),
    DuoDefinition("DUO:0000021", "IRB", "ethics approval required", False),
    DuoDefinition("DUO:0000022", "GS", "geographical restriction", False, Argument.TEXT),
    DuoDefinition("DUO:0000024", "MOR", "publication moratorium", False, Argument.DATE),
    DuoDefinition("DUO:0000025", "TS", "time limit on use", False, Argument.MONTHS),
    DuoDefinition("DUO:0000026", "US", "user specific restriction", False, Argument.TEXT),
    DuoDefinition("DUO:0000027", "PS", "project specific restriction", False, Argument.TEXT),
    DuoDefinition("DUO:0000028", "IS", "institution specific restriction", False, Argument.TEXT),
    DuoDefinition("DUO:0000029", "RTN", "return to database or resource", False),
    DuoDefinition("DUO:0000043", "CC", "clinical care use", False),
    DuoDefinition("DUO:0000044", "NPOA", "population origins or ancestry research prohibited", False),
    DuoDefinition("DUO:0000045", "NPU", "not for profit organisation use only", False),
    DuoDefinition("DUO:0000046", "NCU", "non-commercial use only", False),
)
DEFINITIONS: dict[str, DuoDefinition] = {definition.id: definition for definition in _TABLE}
BY_SHORTHAND: dict[str, DuoDefinition] = {definition.shorthand: definition for definition in _TABLE}

_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:]{0,63}")
_DATE = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_MONTHS = re.compile(r"[1-9][0-9]{0,2}")
_SHAPES = {Argument.TEXT: _TEXT, Argument.DATE: _DATE, Argument.MONTHS: _MONTHS}


@dataclass(frozen=True, slots=True)
class DuoTerm:
    """One term with its argument ('' where it has none)."""

    definition: DuoDefinition
    argument: str = ""

    @property
    def shorthand(self) -> str:
        return self.definition.shorthand

    def __str__(self) -> str:
        return f"{self.definition.id}:{self.argument}" if self.argument else self.definition.id


def parse_term(text: str) -> DuoTerm:
    """Read one term; raises DuoTermInvalid for an unknown id or a wrong argument."""
    scheme, _, rest = text.partition(":")
    number, _, argument = rest.partition(":")
    definition = DEFINITIONS.get(f"{scheme}:{number}")
    if definition is None:
        raise DuoTermInvalid("not a term of the Data Use Ontology")
    if definition.argument is Argument.NONE:
        if argument or text.endswith(":"):
            raise DuoTermInvalid(f"{definition.id} takes no argument")
    elif not _SHAPES[definition.argument].fullmatch(argument):
        raise DuoTermInvalid(f"{definition.id} needs an argument of the kind '{definition.argument}'")
    return DuoTerm(definition, argument)
