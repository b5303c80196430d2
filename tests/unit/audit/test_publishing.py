from __future__ import annotations

import pytest

from backend.audit import merkle, tile_paths
from backend.audit.errors import UnknownTile
from backend.audit.log import AuditLog
from backend.audit.publishing import LogFiles
from backend.audit.tile_paths import Tile
from tests.support.audit_world import World
from tests.support.memory_audit import read_event


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(1, 1_000), "tile/1/x001/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),  # the example of the specification
        (Tile(2, 0, 1), "tile/2/000.p/1"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(63, 0), "tile/63/000"),
        (Tile(None, 67, 255), "tile/entries/067.p/255"),
    ],
)
def test_path_is_written_and_read_as_tlog_tiles_has_it(tile: Tile, path: str) -> None:
    assert tile.path() == path
    _, level, number = path.split("/", 2)
    assert tile_paths.read(level, number) == tile


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("00", "000"),
        ("64", "000"),
        ("-1", "000"),
        ("x", "000"),
        ("0", ""),
        ("0", "0"),
        ("0", "0000"),
        ("0", "x000/001"),
        ("0", "001/001"),
        ("0", "x001/x001"),
        ("0", "000.p/0"),
        ("0", "000.p/256"),
        ("0", "000.p/01"),
        ("0", "000.p/"),
        ("0", "../000"),
        ("0", "٠٠٠"),
        ("0", "x001/" * 30 + "000"),
    ],
)
def test_any_other_way_to_write_a_path_is_refused(level: str, number: str) -> None:
    with pytest.raises(UnknownTile):
        tile_paths.read(level, number)


def test_tiles_of_a_tree_are_those_of_the_example_in_the_specification() -> None:
    tiles = tile_paths.tiles_of(70_000)
    hashes = [t for t in tiles if t.level is not None]
    assert len([t for t in hashes if t.level == 0 and t.width == 256]) == 273
    assert [t for t in hashes if t.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [t for t in hashes if t.level == 1 and t.width == 256] == [Tile(1, 0)]
    assert len([t for t in tiles if t.level is None]) == 274
    assert [t.path() for t in tile_paths.tiles_of(256)] == [
        "tile/0/000",
        "tile/entries/000",
        "tile/1/000.p/1",
    ]


def test_tiles_and_entries_of_a_log_give_its_root(world: World, log: AuditLog) -> None:
    for number in range(300):
        log.append(read_event(number=number))
    files = LogFiles(world.reader(log))
    hashes: dict[int, bytes] = {}
    leaves: list[bytes] = []
    for tile in tile_paths.tiles_of(300):
        content = files.read(tile)
        if tile.level is not None:
            assert len(content) == 32 * tile.width
            hashes[tile.level] = hashes.get(tile.level, b"") + content
            continue
        while content:
            length = int.from_bytes(content[:2], "big")
            leaves.append(content[2 : 2 + length])
            content = content[2 + length :]
    level0 = [hashes[0][i : i + 32] for i in range(0, 300 * 32, 32)]
    assert [merkle.leaf_hash(leaf) for leaf in leaves] == level0
    assert merkle.root(level0) == log.state.tree.root()
    assert hashes[1] == merkle.root(level0[:256])
    assert files.read(Tile(0, 0, 7)) == hashes[0][: 7 * 32]  # a checkpoint of an earlier size needs it


@pytest.mark.parametrize(
    "tile", [Tile(0, 0, 6), Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1), Tile(None, 0, 6), Tile(63, 0)]
)
def test_tile_that_the_log_has_not_got_yet_is_refused(world: World, log: AuditLog, tile: Tile) -> None:
    for number in range(5):
        log.append(read_event(number=number))
    with pytest.raises(UnknownTile):
        LogFiles(world.reader(log)).read(tile)
