"""A report explains each of its figures, and its page needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from typing import Any

import polars as pl
import pytest

from backend.research.anonymize.meanings import MEANINGS
from backend.research.anonymize.release import Request, release
from backend.research.anonymize.report import Population, Report, report_on
from backend.research.anonymize.report_html import meaning_of, render
from backend.research.anonymize.schema import parse_schema
from backend.research.anonymize.types import Diversity, DiversityKind, Mode, PrivacyModel

AGE = "$a<b>&$"  # a name that must survive HTML and plots
LINES = {
    AGE: [(str(year), f"{year // 5 * 5}+", "*") for year in range(20)],
    "sex": [("f", "*"), ("m", "*")],
}
SCHEMA = parse_schema(
    f"columns: {{'{AGE}': {{role: quasi, hierarchy: a}}, sex: {{role: quasi, hierarchy: s}},"
    " ill: {role: sensitive}, id: {role: patient}}"
)
ROWS = 200
TABLE = pl.DataFrame(
    {
        AGE: pl.Series(
            [str(row * row % 20) for row in range(ROWS)], dtype=pl.Enum([str(y) for y in range(20)])
        ),
        "sex": pl.Series(["fm"[row % 3 % 2] for row in range(ROWS)], dtype=pl.Enum(["f", "m"])),
        "ill": pl.Series(["abcd"[row % 4] for row in range(ROWS)], dtype=pl.Categorical()),
        "id": [f"p{row // 2}" for row in range(ROWS)],
    }
)


@pytest.fixture(scope="module")
def report() -> Report:
    model = PrivacyModel(5, Diversity(DiversityKind.RECURSIVE, 2, 3.0), 0.9)
    request = Request(model, Mode.STRICT, 0.1)
    made = release(TABLE, SCHEMA, LINES, request)
    return report_on(TABLE, SCHEMA, request, made, digest="ab" * 32, population=Population(5_000))


def figures(value: Any, path: str = "") -> Iterator[str]:
    """The path of every figure: what stands for something by itself."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from figures(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for item in value:
            yield from figures(item, path)
    else:
        yield path


def loaded(attributes: list[tuple[str, str | None]]) -> list[str]:
    return [str(value) for name, value in attributes if name in ("src", "href", "xlink:href", "data")]


def test_every_figure_has_a_sentence_and_every_sentence_a_figure(report: Report) -> None:
    found = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert found.pop("meanings") == dict(MEANINGS)
    paths = set(figures(found)) - {"schema"}
    assert {path for path in paths if meaning_of(path) is None} == set()
    used = set(map(meaning_of, paths))
    whole = {"privacy.l", "risk.population_uniqueness"}  # where there is none
    assert {path for path, meaning in MEANINGS.items() if meaning not in used} == whole
    assert all(meaning.endswith(".") for meaning in MEANINGS.values())


def test_report_says_what_was_asked_and_reached(report: Report) -> None:
    found = report.as_json()
    assert found["privacy"]["l"] == {"kind": "recursive", "l": 2, "c": 3.0}
    assert found["privacy"]["ground_distance"] == "equal"
    assert found["privacy"]["protected"] == ["ill"]
    assert found["privacy"]["k_reached"] >= 5
    assert found["sensitive"]["ill"]["recursive_c"] < 3.0
    assert found["sensitive"]["ill"]["t"] <= 0.9
    assert found["rows"]["released"] + found["rows"]["suppressed"] == ROWS
    assert found["risk"]["journalist"] == found["risk"]["prosecutor"]
    assert found["risk"]["journalist_from_population"] is False
    assert found["risk"]["prosecutor"]["highest"] == pytest.approx(1 / found["classes"]["least"], abs=1e-6)
    assert found["release_sha256"] == "ab" * 32


def test_classes_are_counted_in_patients(report: Report) -> None:
    assert sum(report.sizes) <= ROWS
    assert report.as_json()["classes"]["least"] == report.k


def test_page_is_well_formed_and_loads_nothing(report: Report) -> None:
    page = render(report)

    class Elements(HTMLParser):
        open: list[str]
        loads: list[str]
        text: str

        def __init__(self) -> None:
            super().__init__()
            self.open, self.loads, self.text = [], [], ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag != "meta":
                self.open.append(tag)
            self.loads += [
                str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "data")
            ]

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.loads += [
                str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "data")
            ]

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_data(self, data: str) -> None:
            self.text += data

    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    assert [load for load in elements.loads if not load.startswith("#")] == []
    assert "<script" not in page
    assert not re.search(r"url\((?!#)", page)
    assert page.count("<svg") == 6
    assert AGE in elements.text
    for meaning in ("Patients in the smallest class.", MEANINGS["loss.mean"], MEANINGS["risk.marketer"]):
        assert meaning in elements.text
    assert page == render(report)  # nothing in it depends on chance or time


def test_page_shows_every_figure_of_the_report_with_what_it_means(report: Report) -> None:
    page = render(report)
    columns = report.as_json()["loss"]["columns"]
    for name, figures in columns.items():
        levels = ", ".join(f"{count:,}" for count in figures["levels"])
        cells = "".join(
            f'<td class="v">{shown}</td>'
            for shown in (f"{figures['loss']:.4g}", f"{figures['entropy']:.4g}", levels)
        )
        assert f"<tr><td>{escape(name)}</td>{cells}</tr>" in page
    for name, meaning in MEANINGS.items():
        if name.startswith(("loss.columns.*", "classes.quantiles.*", "sensitive.*.distinct")):
            assert page.count(escape(meaning)) == 1
