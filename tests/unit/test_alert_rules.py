"""The alert rules, the dashboard and the runbook speak of the same things, and of things that there are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from backend.cli import app

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
DISASTERS = (ROOT / "docs" / "disasters.md").read_text()
COMMANDS = [
    line.split("  #")[0].strip()
    for document in (RUNBOOK, DISASTERS)
    for _, block in re.findall(r"^( *)```\n(.*?)^\1```", document, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.strip().startswith("assent ")
]
# In the text and the tables: the name, without what it is given.
NAMED = [
    " ".join(words.split()) for words in re.findall(r"`assent ((?:[a-z][a-z-]*\s?)+)", RUNBOOK + DISASTERS)
]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_alert_says_who_is_called_and_names_a_section_with_commands(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"now", "soon"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert "```\n" in SECTIONS[rule["alert"]]


def test_each_section_is_of_an_alert() -> None:
    assert set(SECTIONS) == {rule["alert"] for rule in RULES}


def test_each_rule_is_tested() -> None:
    tests = (DEPLOY / "prometheus" / "alerts_test.yml").read_text()
    assert {rule["alert"] for rule in RULES if rule["alert"] not in tests} == set()


@pytest.mark.parametrize("line", sorted(set(COMMANDS)))
def test_commands_to_copy_exist_with_their_options(line: str) -> None:
    command, words = found(shlex.split(line)[1:])
    assert not hasattr(command, "commands"), "a group does nothing by itself"
    options = {name: each for each in command.params for name in each.opts}
    given = [word for word in words if word.startswith("--")]
    assert set(given) <= set(options)
    with_value = [name for name in given if not getattr(options[name], "is_flag", False)]
    needed = [each for each in command.params if each.required]
    named = {name for each in needed for name in each.opts if name.startswith("--")}
    assert named <= set(given)
    arguments = [each for each in command.params if not each.opts[0].startswith("--")]
    positional = len(words) - len(given) - len(with_value)
    assert sum(each.required for each in arguments) <= positional <= len(arguments)


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_commands_that_the_text_names_exist(name: str) -> None:
    _, rest = found(name.split())
    assert not rest, "what follows the command is none of its own"


def found(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command, and what it is given."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_dashboard_asks_for_what_the_rules_know_or_the_service_gives() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "assent.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(target["expr"] for panel in panels for target in panel["targets"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
