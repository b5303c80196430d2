from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.backup.errors import RecoveryKeyExpired, RecoveryKeyUnreadable
from backend.backup.recovery_key import (
    destroy,
    generate,
    read_private_half,
    read_service_half,
    service_path,
)

NOW = 1_800_000_000
DAY = 24 * 3600


def test_both_halves_name_one_key_and_only_the_private_one_opens(tmp_path: Path) -> None:
    half = generate(tmp_path / "key", now=NOW)
    key = read_private_half(tmp_path / "key")
    assert key.service.id == half.id
    assert key.private.open(half.key.seal(b"x" * 32, b"info"), b"info") == b"x" * 32
    assert "seed" not in json.loads(service_path(tmp_path / "key").read_text())
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    seed = json.loads((tmp_path / "key").read_text())["seed"]
    assert seed not in repr(key)
    assert half.token.reveal().hex() not in repr(key)


def test_key_lives_thirty_days_at_most(tmp_path: Path) -> None:
    half = generate(tmp_path / "key", now=NOW)
    half.require_live(NOW)
    half.require_live(NOW + 30 * DAY - 1)
    for outside in (NOW - 1, NOW + 30 * DAY):
        with pytest.raises(RecoveryKeyExpired):
            half.require_live(outside)
    with pytest.raises(ValueError, match="30 days"):
        generate(tmp_path / "longer", now=NOW, days=31)
    fields = json.loads(service_path(tmp_path / "key").read_text())
    service_path(tmp_path / "key").write_text(json.dumps({**fields, "expires_at": NOW + 31 * DAY}))
    with pytest.raises(RecoveryKeyUnreadable):
        read_service_half(service_path(tmp_path / "key"))


def test_generating_over_a_file_is_refused_and_leaves_it(tmp_path: Path) -> None:
    generate(tmp_path / "key", now=NOW)
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(FileExistsError):
        generate(tmp_path / "key", now=NOW)
    assert (tmp_path / "key").read_bytes() == before


def test_halves_are_not_taken_for_each_other_and_other_files_not_for_keys(tmp_path: Path) -> None:
    generate(tmp_path / "key", now=NOW)
    (tmp_path / "text").write_text("no key")
    for path in (service_path(tmp_path / "key"), tmp_path / "text", tmp_path / "missing"):
        with pytest.raises(RecoveryKeyUnreadable):
            read_private_half(path)
    with pytest.raises(RecoveryKeyUnreadable):
        read_service_half(tmp_path / "key")


def test_destroying_takes_the_private_half_away_and_nothing_else(tmp_path: Path) -> None:
    half = generate(tmp_path / "key", now=NOW)
    with pytest.raises(RecoveryKeyUnreadable):
        destroy(service_path(tmp_path / "key"))
    assert destroy(tmp_path / "key").id == half.id
    assert [path.name for path in tmp_path.iterdir()] == ["key.service"]
