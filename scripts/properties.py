"""List property -> tests -> proofs of the contracts, and fail on a gap.

``python -m scripts.properties`` reads ``contracts/properties.md`` and prints what shows each property; with
``--check`` it prints the gaps only. A gap is a property without a test, a test or proof that is named and
does not exist, a contract test or a proof that no property names, and a proof that names other properties
than name it.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROPERTIES = ROOT / "contracts" / "properties.md"

IDENTITY = r"(?:(?:RM-)?[SLN]\d+|(?:RC|EA|AA|RR|KR|SU)\d+)"
ROW = re.compile(rf"^\| ({IDENTITY}) \| (.+?) \| (.+?) \|(?: (.*?) ?\|)?$", re.MULTILINE)
FORGE_TEST = re.compile(r"^    function ((?:test|invariant)_\w+)\(", re.MULTILINE)
BROWNIE_TEST = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
# A proof and the comment before it, which begins with the ids of its properties.
PROOF = re.compile(
    rf"^    /// ((?:{IDENTITY}(?:, )?)+)[^\n]*\n(?:    ///[^\n]*\n)*    function (check_\w+)\(", re.MULTILINE
)
ANY_PROOF = re.compile(r"^    function (check_\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Property:
    """A row of the tables: what must hold, and the names of what shows it."""

    identity: str
    sentence: str
    tests: tuple[str, ...]
    proofs: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What there is: contract tests by name, and of each proof the ids in its comment (empty without one)."""

    tests: frozenset[str]
    proofs: dict[str, frozenset[str]]


def properties_of(text: str) -> list[Property]:
    """Return the rows of ``contracts/properties.md``."""
    return [
        Property(row[1], row[2], tuple(_names(row[3])), tuple(_names(row[4] or "")))
        for row in ROW.finditer(text)
    ]


def evidence() -> Evidence:
    """Read the tests and proofs that the repository has."""
    forge = _texts("tests/forge", "*.t.sol") + _texts("tests/gas", "*.t.sol")
    brownie = _texts("tests/contracts", "test_*.py")
    tests = FORGE_TEST.findall(forge) + [f"brownie:{name}" for name in BROWNIE_TEST.findall(brownie)]
    return Evidence(frozenset(tests), proofs_of(_texts("tests/proofs", "*.t.sol")))


def proofs_of(text: str) -> dict[str, frozenset[str]]:
    """Return the proofs of Solidity files with the ids that each one names."""
    named = {match[2]: frozenset(match[1].rstrip(", ").split(", ")) for match in PROOF.finditer(text)}
    return {name: named.get(name, frozenset()) for name in ANY_PROOF.findall(text)}


def gaps(properties: list[Property], found: Evidence) -> list[str]:
    """Return what is missing or left over, in sentences; empty if nothing."""
    wrong = [f"{row.identity} has no test" for row in properties if not row.tests]
    identities = [row.identity for row in properties]
    wrong += [
        f"{identity} stands twice" for identity in sorted(set(identities)) if identities.count(identity) > 1
    ]
    tests = {name for row in properties for name in row.tests}
    wrong += [f"{name} does not exist" for name in sorted(tests - found.tests)]
    wrong += [f"{name} belongs to no property" for name in sorted(found.tests - tests)]
    rows = {(row.identity, name) for row in properties for name in row.proofs}
    comments = {(identity, name) for name, ids in found.proofs.items() for identity in ids}
    wrong += [f"{name} does not exist" for name in sorted({name for _, name in rows} - set(found.proofs))]
    wrong += [f"{name} names no property" for name, ids in sorted(found.proofs.items()) if not ids]
    wrong += [
        f"{name} names {identity}, whose row does not name it" for identity, name in sorted(comments - rows)
    ]
    wrong += [
        f"{identity} names {name}, which does not name it"
        for identity, name in sorted(rows - comments)
        if name in found.proofs
    ]
    return wrong


def _names(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(",") if name.strip()]


def _texts(folder: str, pattern: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).glob(pattern)))


def main() -> int:
    """Parse the command line, list, compare; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="print gaps only")
    arguments = parser.parse_args()
    properties = properties_of(PROPERTIES.read_text(encoding="utf-8"))
    if not properties:
        raise SystemExit(f"{PROPERTIES.relative_to(ROOT)} has no properties")
    if not arguments.check:
        for row in properties:
            print(f"{row.identity}  {row.sentence}")
            for name in row.tests:
                print(f"    test   {name}")
            for name in row.proofs:
                print(f"    proof  {name}")
    wrong = gaps(properties, evidence())
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
