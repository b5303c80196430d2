"""What all commands share: options, settings, answers for people and programs, errors with their remedy."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from backend import logs
from backend.errors import AssentError
from backend.settings import Settings

OUT = Console()
ERR = Console(stderr=True)

DataDirectory = Annotated[
    Path | None, typer.Option(help="where the embedded stores lie (ASSENT_DATA_DIRECTORY)")
]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


def read_settings(**overrides: object) -> Settings:
    """Settings from the environment and the options given; ends the program where one is invalid."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as failure:
        first = failure.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        fail("settings_invalid", f"{name}: {first['msg']}", "Correct the ASSENT_ variable or the option.")


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn our errors into a message with the remedy, and an exit status of 2."""
    if not sys.stderr.isatty() or os.environ.get("ASSENT_LOG") == "json":
        logs.configure()
    try:
        yield
    except AssentError as error:
        where = "" if error.field is None else f"{error.field}: "
        fail(error.code, where + error.detail, error.remedy)


def fail(code: str, detail: str, remedy: str, *, status: int = 2) -> NoReturn:
    ERR.print(f"[bold red]{code}[/]: ", end="", highlight=False)
    ERR.print(detail, markup=False, highlight=False, soft_wrap=True)
    if remedy != detail:
        ERR.print(remedy, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def passphrase_in(variable: str, *, confirm: bool) -> str:
    """Return the passphrase that an environment variable holds, or ask for it."""
    given = os.environ.get(variable)
    if given:
        return given
    asked: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm)
    return asked


def show(value: object, *, as_json: bool) -> None:
    """Print an answer: JSON on one line for programs; for people a line a member, and a block an item."""
    if as_json:
        typer.echo(json.dumps(value, default=str))
    elif isinstance(value, dict):
        for name, item in value.items():
            OUT.print(f"{name:<24} {item}", highlight=False, markup=False, soft_wrap=True)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if number:
                OUT.print()
            show(item, as_json=False)
    else:
        OUT.print(value)


def printable(text: str) -> str:
    """The text without what would steer a terminal: a document comes from anybody."""
    return "".join(character if character.isprintable() else "?" for character in text)


@contextmanager
def until_interrupted() -> Iterator[Callable[[float], None]]:
    """Give a way to wait so many seconds that raises KeyboardInterrupt on Ctrl-C, be it pressed before.

    Raised in C code or a destructor of others the interrupt can be lost; the next wait raises it again.
    """
    pressed = Event()

    def remember(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    def wait(seconds: float) -> None:
        if pressed.wait(seconds):
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield wait
    finally:
        signal.signal(signal.SIGINT, before)
