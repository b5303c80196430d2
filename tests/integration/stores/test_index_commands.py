"""What the service says to its index, the embedded server and a MongoDB replica set both understand."""

from __future__ import annotations

from tests.integration.stores.conftest import Site

COMMANDS = {"aggregate", "createIndexes", "delete", "endSessions", "find", "getMore", "insert"} | {
    "listCollections",
    "ping",
    "update",
}
OPERATORS = {"$group", "$gt", "$gte", "$in", "$inc", "$lt", "$lte", "$match", "$ne", "$nin", "$or"} | {
    "$exists",
    "$set",
    "$sum",
    "$unset",
}
TYPES = (bool, bytes, dict, float, int, list, str, type(None))
BY_THE_LOG = {"audit_bodies", "audit_bundles"}  # durable by the write of the head that names them


def test_only_commands_operators_and_types_that_every_server_has_are_used(site: Site) -> None:
    said = site.said
    assert said.commands - COMMANDS == set()
    assert said.operators - OPERATORS == set()
    assert {type_ for type_ in said.types if not issubclass(type_, TYPES)} == set()


def test_ranges_are_of_numbers_and_texts(site: Site) -> None:
    """The embedded server orders bytes in its own way."""
    assert site.said.ordered <= {int, float, str}


def test_every_write_waits_for_majority_and_journal(site: Site) -> None:
    assert "insert" in site.said.commands
    assert site.said.unsure <= BY_THE_LOG
