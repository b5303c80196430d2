"""Every file of the deployment that is no document: blocks, pins, keys, the chain's files.

Each is flipped, cut, swapped with its sibling, deleted, or put back as it was before. Then ``fsck`` or the
start names it with a code, whoever reads is refused or answered as before, and no other secret is opened.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from backend.adapters.data_directory import DataDirectory
from backend.errors import AssentError
from backend.keys_wiring import open_keys
from backend.keystore import KeyName, KeyStore, Secret
from backend.maintenance.fsck import check_everything
from backend.records.blocks import Cid
from backend.records.storage_ports import Pin
from backend.stores import Stores, open_stores
from tests.support.quiet import Quiet

READS: Final = ("read", "image")


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def block_files(quiet: Quiet) -> list[Path]:
    return sorted((quiet.stores.directory.blocks / "data").glob("*/*"))


@contextmanager
def rewritten(become: Mapping[Path, bytes | None]) -> Iterator[None]:
    """Have files hold other content, or be gone, for the length of the block."""
    wholes = {path: path.read_bytes() for path in become}
    try:
        for path, content in become.items():
            path.unlink() if content is None else path.write_bytes(content)
        yield
    finally:
        for path, content in wholes.items():
            path.write_bytes(content)


BLOCK_CHANGES: Final[Mapping[str, Callable[[bytes, bytes], bytes | None]]] = {
    "flipped": lambda whole, _: flipped(whole),
    "truncated": lambda whole, _: whole[:-1],
    "swapped": lambda _, sibling: sibling,
    "deleted": lambda _whole, _sibling: None,
}


@pytest.mark.parametrize("how", BLOCK_CHANGES)
def test_each_changed_block_is_named_and_no_byte_of_it_is_released(quiet: Quiet, how: str) -> None:
    files = block_files(quiet)
    assert len(files) > 20
    wholes = [path.read_bytes() for path in files]
    become = {
        path: BLOCK_CHANGES[how](wholes[number], wholes[number - 1]) for number, path in enumerate(files)
    }
    with rewritten(become):
        said = " ".join(quiet.named("records"))
        _, wrong = quiet.judge(READS)
    assert [path.name for path in files if path.name not in said] == []
    assert wrong == []
    # One alone: the blocks before it are right, so a reader that checks late would let them go.
    large = max(files, key=lambda path: path.stat().st_size)
    with rewritten({large: become[large]}):
        assert any(large.name in name for name in quiet.named("records"))
        assert quiet.judge(READS)[1] == []


def pin_rows(table: sqlite3.Connection) -> list[tuple[str, str]]:
    return table.execute("SELECT block, root FROM kept ORDER BY root, block").fetchall()


@contextmanager
def pin_table(quiet: Quiet) -> Iterator[sqlite3.Connection]:
    """The pin table, put back as it was at the end."""
    with closing(sqlite3.connect(quiet.stores.directory.blocks / "pins.db", isolation_level=None)) as table:
        table.execute("PRAGMA synchronous=OFF")
        kept, roots = pin_rows(table), table.execute("SELECT root FROM roots").fetchall()
        try:
            yield table
        finally:
            table.execute("BEGIN")
            table.execute("DELETE FROM kept")
            table.execute("DELETE FROM roots")
            table.executemany("INSERT INTO kept VALUES (?, ?)", kept)
            table.executemany("INSERT INTO roots VALUES (?)", roots)
            table.execute("COMMIT")


PIN_CHANGES: Final = {
    "deleted": "DELETE FROM kept WHERE block = :block AND root = :root",
    "flipped": "UPDATE kept SET block = 'x' || substr(block, 2) WHERE block = :block AND root = :root",
    "truncated": "UPDATE kept SET block = substr(block, 1, 20) WHERE block = :block AND root = :root",
    "swapped": "UPDATE kept SET root = :sibling WHERE block = :block AND root = :root",
}


@pytest.mark.parametrize("how", PIN_CHANGES)
def test_each_changed_row_of_the_pins_is_noticed_and_named(quiet: Quiet, how: str) -> None:
    with pin_table(quiet) as table:
        rows = pin_rows(table)
    kept: dict[str, list[str]] = defaultdict(list)
    for block, root in rows:
        kept[root].append(block)
    # Equal blocks of two roots have a row each, and no row can become the other.
    rows = [
        (block, root) for block, root in rows if how != "swapped" or block not in kept[before(root, kept)]
    ]
    unnoticed = []
    for block, root in rows:
        with pin_table(quiet) as table:
            change_pin(table, how, block, root, before(root, kept))
            if quiet.stores.blocks.keeps(Pin(Cid(root), tuple(map(Cid, kept[root])))):
                unnoticed.append((block, root))
    assert unnoticed == []
    one_of_each = {root: block for block, root in rows}
    with pin_table(quiet) as table:
        for root, block in one_of_each.items():
            change_pin(table, how, block, root, before(root, kept))
        said = " ".join(quiet.named("records"))
    assert [root for root in one_of_each if root not in said] == []


def before(root: str, kept: Mapping[str, Any]) -> str:
    """The root before, its sibling."""
    roots = list(kept)
    return roots[roots.index(root) - 1]


def change_pin(table: sqlite3.Connection, how: str, block: str, root: str, sibling: str) -> None:
    values = {"block": block, "root": root, "sibling": sibling}
    names = [name for name in values if f":{name}" in PIN_CHANGES[how]]
    assert table.execute(PIN_CHANGES[how], {name: values[name] for name in names}).rowcount == 1


@pytest.mark.parametrize("change", ["DELETE FROM roots", "UPDATE roots SET root = 'x' || substr(root, 2)"])
def test_each_changed_root_of_the_pins_is_named_and_reads_go_on(quiet: Quiet, change: str) -> None:
    with pin_table(quiet) as table:
        roots = [root for (root,) in table.execute("SELECT root FROM roots")]
        table.execute(change)
        said = " ".join(quiet.named("records"))
        differs, wrong = quiet.judge(("image",))
    assert [root for root in roots if root not in said] == []
    assert (differs, wrong) == (False, [])


@contextmanager
def copied_keys(quiet: Quiet, root: Path) -> Iterator[tuple[Path, Callable[[], KeyStore]]]:
    """A copy of the key store's directory, and what opens it."""
    target = root / "copy"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(quiet.stores.directory.keys, target / "keys")
    shutil.copy(quiet.stores.directory.root / "development.key", target)  # what the epoch key is closed with
    settings = quiet.stores.settings.model_copy(update={"data_directory": target})
    yield target / "keys" / "store", lambda: open_keys(settings, DataDirectory(target))


SECRET_CHANGES: Final[Mapping[str, Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...] | None]]] = {
    "flipped": lambda row, _: (*row[:3], flipped(row[3]), row[4]),
    "truncated": lambda row, _: (*row[:3], row[3][:-1], row[4]),
    "swapped": lambda row, sibling: (*row[:3], sibling[3], sibling[4]),
    "moved": lambda row, _: (*row[:2], row[2] % 2 + 1, *row[3:]),
    "deleted": lambda _row, _sibling: None,
}


@pytest.mark.parametrize("how", SECRET_CHANGES)
def test_no_changed_row_of_a_secret_opens_as_another_secret(quiet: Quiet, tmp_path: Path, how: str) -> None:
    with copied_keys(quiet, tmp_path) as (store, opened), closing(opened()) as keys:
        secrets = dict(keys.rows())  # type: ignore[attr-defined]
        with closing(sqlite3.connect(store / "keys.db", isolation_level=None)) as table:
            rows = table.execute("SELECT * FROM secrets").fetchall()
            pages = [page for (page,) in table.execute("SELECT page FROM pages")]
            if how == "moved" and len(pages) < 2:
                pytest.skip("the key store has one page")
            table.execute("DELETE FROM secrets")
            for number, row in enumerate(rows):
                changed = SECRET_CHANGES[how](row, rows[number - 1])
                if changed is not None:
                    table.execute("INSERT INTO secrets VALUES (?, ?, ?, ?, ?)", changed)
        opened_as = [outcome(keys, name) for name in secrets]
        named = set(keys.damaged())
    assert opened_as == [None if how == "deleted" else "keystore_damaged"] * len(secrets)
    if how == "deleted":
        assert len(named) == len(pages)
    else:
        assert named >= {f"{row[0]} {row[1].hex()}" for row in rows}


@pytest.mark.parametrize("how", ["flipped", "deleted"])
def test_changed_secret_of_each_kind_is_named_by_fsck(quiet: Quiet, tmp_path: Path, how: str) -> None:
    with copied_keys(quiet, tmp_path) as (store, opened):  # noqa: SIM117
        with closing(sqlite3.connect(store / "keys.db", isolation_level=None)) as table:
            for row in table.execute("SELECT * FROM secrets GROUP BY kind").fetchall():
                table.execute("DELETE FROM secrets WHERE kind = ? AND name = ?", row[:2])
                if (changed := SECRET_CHANGES[how](row, row)) is not None:
                    table.execute("INSERT INTO secrets VALUES (?, ?, ?, ?, ?)", changed)
                with closing(opened()) as keys:
                    assert said_of(replace(quiet.stores, keys=keys)), row[0]
                table.execute("DELETE FROM secrets WHERE kind = ? AND name = ?", row[:2])
                table.execute("INSERT INTO secrets VALUES (?, ?, ?, ?, ?)", row)


def outcome(keys: KeyStore, name: KeyName) -> Secret | str | None:
    """What a secret opens as, or the code of the refusal."""
    try:
        return keys.row(name)  # type: ignore[attr-defined,no-any-return]
    except AssentError as refusal:
        return refusal.code


def said_of(stores: Stores) -> list[str]:
    """The codes by which ``fsck`` names damage, or refuses to go on."""
    try:
        return [finding.code for finding in check_everything(stores).damage]
    except AssentError as refusal:
        return [refusal.code]


STORE_CHANGES: Final = {
    "store flipped": "UPDATE store SET name_key = zeroblob(length(name_key))",
    "store of another id": "UPDATE store SET id = zeroblob(16)",
    "store of an older epoch": "UPDATE store SET epoch = epoch - 1",
    "store of another kind": "UPDATE store SET kind = 'other'",
    "store of another schema": "UPDATE store SET schema = schema + 1",
    "store deleted": "DELETE FROM store",
    "version of pages raised": "UPDATE versions SET minimum = minimum + 1 WHERE class = 'page'",
    "version of names raised": "UPDATE versions SET version = version + 1 WHERE class = 'name'",
    "version deleted": "DELETE FROM versions WHERE class = 'epoch'",
    "pages flipped": "UPDATE pages SET wrapped = zeroblob(length(wrapped))",
    "pages truncated": "UPDATE pages SET wrapped = substr(wrapped, 2)",
    "pages of another version": "UPDATE pages SET version = version + 1",
    "pages deleted": "DELETE FROM pages",
}


@pytest.mark.parametrize("how", STORE_CHANGES)
def test_key_store_whose_own_rows_are_changed_opens_nothing(quiet: Quiet, tmp_path: Path, how: str) -> None:
    with copied_keys(quiet, tmp_path) as (store, opened):
        with closing(sqlite3.connect(store / "keys.db", isolation_level=None)) as table:
            assert table.execute(STORE_CHANGES[how]).rowcount > 0
        with pytest.raises(AssentError) as refused, closing(opened()) as keys:
            list(keys.rows())  # type: ignore[attr-defined]
        assert refused.value.code.startswith("keystore_")


def test_changed_count_of_a_page_is_named(quiet: Quiet, tmp_path: Path) -> None:
    with copied_keys(quiet, tmp_path) as (store, opened):
        with closing(sqlite3.connect(store / "keys.db", isolation_level=None)) as table:
            table.execute("UPDATE pages SET counted = zeroblob(length(counted)) WHERE page = 1")
        with closing(opened()) as keys:
            assert list(keys.damaged()) == ["page 1"]


@pytest.mark.parametrize(
    "how", ["flipped", "truncated", "deleted", "keys.db deleted", "keys.db cut", "older"]
)
def test_key_store_whose_files_are_changed_opens_nothing(quiet: Quiet, tmp_path: Path, how: str) -> None:
    with copied_keys(quiet, tmp_path) as (store, opened):
        (epoch,) = store.glob("epoch-*.key")
        whole = epoch.read_bytes()
        match how:
            case "flipped":
                epoch.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            case "truncated":
                epoch.write_bytes(whole[:-1])
            case "deleted":
                epoch.unlink()
            case "keys.db deleted":
                (store / "keys.db").unlink()
            case "keys.db cut":
                (store / "keys.db-wal").unlink(missing_ok=True)
                (store / "keys.db").write_bytes(b"\0" * 4096)
            case "older":
                with closing(opened()) as keys:
                    keys.rotate("epoch")
                    assert not epoch.exists()
                (newer,) = store.glob("epoch-*.key")
                newer.write_bytes(whole)
        with pytest.raises(AssentError) as refused:
            opened().close()
        assert refused.value.code.startswith("keystore_")


CHAIN_CHANGES: Final[Mapping[str, Callable[[bytes], bytes | None]]] = {
    "flipped": flipped,
    "truncated": lambda whole: whole[:-1],
    "cut to half": lambda whole: whole[: len(whole) // 2],
    "emptied": lambda _: b"",
    "deleted": lambda _: None,
}


# The end of the last seal; a file that is found again on the chain, or its last line's end; what was only
# of use until the custodian was admitted. ``said_at_start`` sees to it that the chain is the same.
CHANGES_NOTHING: Final = {
    "journal truncated",
    *(f"deployment.json {how}" for how in ("truncated", "deleted")),
    *(f"custodian.json {how}" for how in CHAIN_CHANGES),
}


@pytest.mark.parametrize("name", ["journal", "deployment.json", "custodian.json"])
def test_changed_file_of_the_chain_is_named_by_the_start_or_by_fsck_or_changes_nothing(
    quiet: Quiet, tmp_path: Path, name: str
) -> None:
    root = quiet.stores.directory.root
    whole = (root / "chain" / name).read_bytes() if (root / "chain" / name).exists() else None
    if whole is None:
        assert name == "custodian.json"  # kept only while the admission waits
        return
    unnamed = set()
    for how, change in CHAIN_CHANGES.items():
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(root, copy, ignore=lambda at, names: [n for n in names if not regular(Path(at) / n)])
        (copy / "chain" / name).unlink()
        if (content := change(whole)) is not None:
            (copy / "chain" / name).write_bytes(content)
        if not said_at_start(quiet, copy):
            unnamed.add(f"{name} {how}")
    assert unnamed <= CHANGES_NOTHING


def regular(path: Path) -> bool:
    return path.is_dir() or path.is_file()


def said_at_start(quiet: Quiet, directory: Path) -> list[str]:
    try:
        stores = open_stores(quiet.stores.settings.model_copy(update={"data_directory": directory}))
    except AssentError as refusal:
        return [refusal.code]
    with stores.closing:
        said = said_of(stores)
        if not said:
            assert stores.chain.view() == quiet.stores.chain.view()
            assert contracts_of(stores) == contracts_of(quiet.stores)
        return said


def contracts_of(stores: Stores) -> dict[str, str]:
    return {name: each.address for name, each in stores.deployment.contracts.items()}
