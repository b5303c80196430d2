"""A log line is one JSON object, without what only colours a terminal and without a library's message."""

from __future__ import annotations

import json
import logging

from backend.logs import JsonFormatter


def line(**extra: object) -> dict[str, object]:
    record = logging.LogRecord("assent", logging.INFO, "x.py", 1, "started %s", ("now",), None)
    record.__dict__.update(extra)
    found: dict[str, object] = json.loads(JsonFormatter().format(record))
    return found


def test_line_holds_the_event_and_what_the_caller_added() -> None:
    made = line(code="disk_full", color_message="\x1b[36mstarted\x1b[0m")
    assert made["event"] == "started now"
    assert made["code"] == "disk_full"
    assert "color_message" not in made


def test_failure_is_named_by_type_and_place_and_not_by_its_message() -> None:
    try:
        raise ValueError("the name of a patient")
    except ValueError as failure:
        record = logging.LogRecord("assent", logging.ERROR, "x.py", 1, "unexpected", (), None)
        record.exc_info = (type(failure), failure, failure.__traceback__)
    made = JsonFormatter().format(record)
    assert json.loads(made)["error"] == "ValueError"
    assert "name of a patient" not in made
