"""What the story checked, shown while it runs and kept for the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from backend.demo.actors import Refused


@dataclass(frozen=True, slots=True)
class Check:
    """One statement that held or did not. ``detail`` says what was seen."""

    step: str
    name: str
    held: bool
    detail: str


@dataclass(slots=True)
class Checks:
    """Collects checks. A failed one does not stop the story; the exit status tells."""

    console: Console
    results: list[Check] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    _step: str = ""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Run one step of the story under its title; an error in it is a failed check."""
        self._step = title
        started = time.perf_counter()
        with self.console.status(title):
            try:
                yield
            except (Refused, KeyError, ValueError, AssertionError) as failure:
                self.that("the step went through", held=False, detail=f"{type(failure).__name__}: {failure}")
        seconds = time.perf_counter() - started
        self.timings[title] = seconds
        mine = [check for check in self.results if check.step == title]
        failed = [check for check in mine if not check.held]
        mark = "[red]✗[/]" if failed else "[green]✓[/]"
        self.console.print(f"{mark} {title}  [dim]{len(mine)} checks, {seconds:.1f} s[/]", highlight=False)
        for check in failed:
            self.console.print(f"    [red]{check.name}[/]: {check.detail}", highlight=False)

    def that(self, name: str, *, held: bool, detail: str = "") -> None:
        self.results.append(Check(self._step, name, held, detail))

    def refused(
        self, name: str, attempt: Callable[[], object], *, status: int, code: str | None = None
    ) -> None:
        """Check that the attempt is refused with this status and, where given, this code."""
        try:
            attempt()
        except Refused as refusal:
            held = refusal.status == status and code in (None, refusal.code)
            self.that(name, held=held, detail=f"{refusal.status} {refusal.code}")
        else:
            self.that(name, held=False, detail="was not refused")

    @property
    def all_held(self) -> bool:
        return bool(self.results) and all(check.held for check in self.results)

    def show(self) -> None:
        table = Table(title="What was checked", show_lines=False)
        for column in ("step", "check", "", "seen"):
            table.add_column(column, overflow="fold")
        for check in self.results:
            table.add_row(check.step, check.name, "[green]✓[/]" if check.held else "[red]✗[/]", check.detail)
        self.console.print(table)
        held = sum(check.held for check in self.results)
        self.console.print(f"{held} of {len(self.results)} checks held.", highlight=False)

    def write(self, path: Path) -> None:
        """Write the JSON report."""
        report = {
            "held": self.all_held,
            "checks": [asdict(check) for check in self.results],
            "seconds": self.timings,
        }
        path.write_text(json.dumps(report, indent=2) + "\n")
