"""FHIRPath for views, by fhirpathpy 2.2 with its R4 model. Each expression is parsed once.

What the library does not do, or does in a way that a view cannot use:

- it reads on over syntax errors; so its own grammar is asked first, with a listener that refuses, to the end
  of the text;
- ``lowBoundary`` and ``highBoundary`` are missing: refused when a view is parsed;
- ``$this`` has no meaning at the root of an expression: handled here;
- what depends on the clock, may not end, or may take exponential time (``now``, ``repeat``, ``matches``) is
  not among the functions that a view may call, nor is ``trace``, which prints.

A path of element names alone (``code.coding.system``) is most of what views hold. It is followed here, many
times as fast; a test compares both ways. Choice elements (``value``, ``onset``) need the model and are left
to the library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import fhirpathpy
from antlr4 import CommonTokenStream, InputStream
from antlr4.error.ErrorListener import ErrorListener
from fhirpathpy.engine.nodes import FP_DateTime, FP_Time, ResourceNode
from fhirpathpy.models import models
from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

from backend.research.errors import ViewFailed, ViewInvalid

Constant = str | bool | int | Decimal
MAX_LENGTH: Final = 500
_R4: Final = models["r4"]
_CHOICES: Final = frozenset(path.rsplit(".", 1)[-1] for path in _R4["choiceTypePaths"])
_BACKBONES: Final = frozenset(path.rsplit(".", 1)[0] for path in _R4["path2Type"])
UNKNOWN: Final = ""  # the FHIR type of what an expression starts at
_WORDS: Final = frozenset(
    {"and", "or", "xor", "implies", "is", "as", "in", "contains", "div", "mod", "true", "false"}
)
_PLAIN: Final = re.compile(r"(?:\$this\.)?([a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)*)")
_RELATIVE: Final = re.compile(
    r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?"
)
# Functions of the specification's minimal set that the library has, and further ones that always end soon.
FUNCTIONS: Final = frozenset(
    {
        *("where", "exists", "empty", "extension", "join", "ofType", "first", "not"),
        *("getResourceKey", "getReferenceKey"),
        *("last", "count", "distinct", "all", "iif", "single", "tail", "take", "skip", "select", "type"),
        *("startsWith", "endsWith", "substring", "length", "lower", "upper", "trim", "indexOf"),
        *("toString", "toInteger", "toDecimal", "toBoolean", "abs", "round", "floor", "ceiling", "truncate"),
    }
)


class _Refusing(ErrorListener):  # type: ignore[misc]
    def syntaxError(self, *found: Any) -> None:  # noqa: N802 - the name that the parser calls
        raise ViewInvalid(f"no FHIRPath: character {found[3] + 1}")


@dataclass(frozen=True, slots=True)
class Path:
    """One expression. ``names`` is set where it consists of element names alone (empty: ``$this``)."""

    text: str
    names: tuple[str, ...] | None
    type: str = UNKNOWN  # of what it finds

    @property
    def is_plain(self) -> bool:
        return self.names is not None

    def items(self, node: Any, constants: Mapping[str, Constant], *, typed: bool) -> Sequence[Any]:
        """What the expression finds in ``node``: JSON objects and values.

        ``typed``: as nodes that know their type, for expressions that start at them. Raises ViewFailed when
        it cannot be evaluated.
        """
        if self.names is not None and not (typed and self.names):
            # At the root of an expression there is nothing to type.
            return [node] if typed else list(_follow(_data(node), self.names))
        if self.text == "getResourceKey()":
            return _resource_keys([_data(node)])
        try:
            found = _compiled(self.text)(node, constants)
        except Exception as failure:
            # The library raises bare exceptions for whatever does not fit, such as a sum of words.
            raise ViewFailed(f"the path '{self.text}' cannot be evaluated") from failure
        return found if typed else [_data(item) for item in found]


def parse_path(
    text: Any, *, field: str, start: str = UNKNOWN, constants: frozenset[str] = frozenset()
) -> Path:
    """Read one expression that starts at the FHIR type ``start``; raises ViewInvalid naming ``field``."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_LENGTH:
        raise ViewInvalid(f"a path is text of 1 to {MAX_LENGTH} characters", field=field)
    text = text.strip()
    try:
        functions, used = _names(_tree(text))
    except ViewInvalid as refused:
        raise ViewInvalid(refused.detail, field=field) from refused
    unknown = sorted(functions - FUNCTIONS)
    if unknown:
        raise ViewInvalid(f"a view cannot call {unknown[0]}()", field=field)
    if used - constants:
        raise ViewInvalid(f"no constant %{min(used - constants)} is declared", field=field)
    names, end = _plain(text, start)
    return Path(text, names, end)


def _plain(text: str, start: str) -> tuple[tuple[str, ...] | None, str]:
    """The element names of a path that consists of nothing else, and the type at its end."""
    if text == "$this":
        return (), start
    found = _PLAIN.fullmatch(text)
    names = tuple(found.group(1).split(".")) if found is not None else ()
    if not names or _WORDS.intersection(names):
        return None, UNKNOWN
    here = start
    for name in names:
        path = f"{here}.{name}"
        if path in _R4["choiceTypePaths"] or (not here and name in _CHOICES):
            return None, UNKNOWN
        here = _R4["path2Type"].get(path) or (path if path in _BACKBONES else UNKNOWN) if here else UNKNOWN
    return names, here


def _tree(text: str) -> Any:
    listener = _Refusing()
    lexer = FHIRPathLexer(InputStream(text))
    lexer.removeErrorListeners()
    lexer.addErrorListener(listener)
    parser: Any = FHIRPathParser(CommonTokenStream(lexer))
    parser.removeErrorListeners()
    parser.addErrorListener(listener)
    return parser.entireExpression()


def _names(tree: Any) -> tuple[set[str], set[str]]:
    """Names of the functions that are called, and of the constants that are used."""
    functions: set[str] = set()
    constants: set[str] = set()
    waiting: list[Any] = [tree]
    while waiting:
        node: Any = waiting.pop()
        kind = type(node)
        if kind is FHIRPathParser.FunctnContext:
            functions.add(node.identifier().getText().strip("`"))
        elif kind is FHIRPathParser.ExternalConstantContext:
            constants.add(node.getText().lstrip("%").strip("`'"))
        waiting += getattr(node, "children", None) or ()
    return functions, constants


@lru_cache(maxsize=4_096)
def _compiled(text: str) -> Callable[[Any, Mapping[str, Constant]], list[Any]]:
    options = {"returnRawData": True, "userInvocationTable": _KEYS}
    # Inside a select, '$this' has a meaning.
    return fhirpathpy.compile(f"select({text})" if "$this" in text else text, _R4, options)


def _data(item: Any) -> Any:
    if isinstance(item, ResourceNode):
        item = item.data
    if isinstance(item, FP_DateTime | FP_Time):
        item = str(item.asStr)
    return Decimal(str(item)) if isinstance(item, float) else item


def _follow(node: Any, names: Sequence[str]) -> Iterator[Any]:
    if not names:
        if node is not None:
            yield Decimal(str(node)) if isinstance(node, float) else node
        return
    if not isinstance(node, dict):
        return
    found = node.get(names[0])
    for item in found if isinstance(found, list) else (found,):
        yield from _follow(item, names[1:])


def _resource_keys(inputs: Sequence[Any]) -> list[str]:
    found = [_data(item) for item in inputs]
    return [
        f"{item['resourceType']}/{item['id']}"
        for item in found
        if isinstance(item, dict)
        and isinstance(item.get("resourceType"), str)
        and isinstance(item.get("id"), str)
    ]


def _reference_keys(inputs: Sequence[Any], wanted: Any = None) -> list[str]:
    """Keys of relative literal references; other kinds resolve to nothing, as the specification allows."""
    keys = []
    for item in (_data(item) for item in inputs):
        reference = item.get("reference") if isinstance(item, dict) else None
        found = _RELATIVE.fullmatch(reference) if isinstance(reference, str) else None
        if found is not None and (wanted is None or wanted.name == found.group(1)):
            keys.append(f"{found.group(1)}/{found.group(2)}")
    return keys


_KEYS: Final[dict[str, Any]] = {
    "getResourceKey": {"fn": _resource_keys, "arity": {0: []}},
    "getReferenceKey": {"fn": _reference_keys, "arity": {0: [], 1: ["TypeSpecifier"]}},
}
