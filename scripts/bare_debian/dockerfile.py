"""A Dockerfile as the stages and instructions that it consists of (only those that ours needs)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pathspec import PathSpec

_KNOWN: Final = ("FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "CMD")


class DockerfileInvalid(ValueError):
    """It holds what these scripts cannot follow."""


@dataclass(frozen=True, slots=True)
class Instruction:
    name: str
    argument: str


@dataclass(slots=True)
class Stage:
    """``image``: what it begins from. ``name``: what later stages copy from it by."""

    image: str
    name: str | None
    instructions: list[Instruction] = field(default_factory=list)


def stages(text: str) -> list[Stage]:
    """Return the stages in order. Raises DockerfileInvalid."""
    found: list[Stage] = []
    for line in _joined(text):
        name, _, argument = line.partition(" ")
        if name not in _KNOWN:
            raise DockerfileInvalid(f"{name} is not followed here: teach it to scripts/bare_debian.")
        if name == "FROM":
            image, _, alias = argument.partition(" AS ")
            found.append(Stage(image.strip(), alias.strip() or None))
        elif not found:
            raise DockerfileInvalid(f"{name} stands before the first FROM.")
        else:
            found[-1].instructions.append(Instruction(name, argument.strip()))
    return found


def copied(argument: str) -> tuple[str | None, list[str], str]:
    """Split a COPY into the stage it copies from (None: our folder), sources and target."""
    stage = re.match(r"--from=(\S+)\s+", argument)
    *sources, target = argument[stage.end() if stage else 0 :].split()
    if not sources or any(each.startswith("--") for each in sources):
        raise DockerfileInvalid(f"COPY {argument} is not followed here.")
    return stage[1] if stage else None, sources, target


def assigned(argument: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return what an ENV sets, with ``$NAME`` replaced by what is known."""
    pairs = (each.split("=", 1) for each in argument.split())
    return {name: re.sub(r"\$(\w+)", lambda m: known.get(m[1], ""), value) for name, value in pairs}


def command(argument: str) -> list[str]:
    """Return the words of a CMD, or of a HEALTHCHECK's, in their JSON form. Raises DockerfileInvalid."""
    _, found, words = argument.rpartition("CMD ") if "CMD " in argument else ("", "", argument)
    try:
        read = json.loads(words)
    except ValueError as error:
        raise DockerfileInvalid(f"{found}{words} is no list of words in JSON.") from error
    return [str(each) for each in read]


def seen(ignored: str, files: Iterable[str]) -> list[Path]:
    """Return which files of a clone a build sees, by the text of its ``.dockerignore``."""
    # As git's patterns, but that each begins at the root.
    spec = PathSpec.from_lines("gitignore", (_rooted(line) for line in ignored.splitlines()))
    return [Path(each) for each in files if not spec.match_file(each)]


def _rooted(line: str) -> str:
    sign, pattern = ("!", line[1:]) if line.startswith("!") else ("", line)
    return line if not pattern or pattern.startswith(("#", "/", "*")) else f"{sign}/{pattern}"


def _joined(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [line.strip() for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines()]
