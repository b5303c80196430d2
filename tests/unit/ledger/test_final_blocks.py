"""What is remembered of the final blocks, and that it is there after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.adapters.ledger.errors import FinalBlocksDamaged
from backend.adapters.ledger.final_blocks import FinalBlocks, final_blocks_file
from backend.types import BlockNumber, Bytes32


def block_hash(number: int) -> Bytes32:
    return Bytes32(number.to_bytes(32))


def kept(path: Path, numbers: range) -> FinalBlocks:
    made = FinalBlocks(path)
    for number in numbers:
        made.keep(BlockNumber(number), block_hash(number))
    return made


def test_blocks_are_there_after_a_restart(tmp_path: Path) -> None:
    path = final_blocks_file(tmp_path)
    assert FinalBlocks(path).hashes == {}
    made = kept(path, range(7, 20))
    assert FinalBlocks(path).hashes == made.hashes == {number: block_hash(number) for number in range(7, 20)}


def test_newest_are_kept_and_one_of_each_stretch_of_the_older(tmp_path: Path) -> None:
    path = final_blocks_file(tmp_path)
    made = kept(path, range(1, 2001))
    numbers = list(made.hashes)
    assert numbers == sorted(numbers)
    assert numbers[-64:] == list(range(1937, 2001))
    assert numbers[:-64] == [1, 256, 512, 768, 1024, 1280, 1536, 1792]
    assert path.stat().st_size < 16_000


def test_what_is_forgotten_is_forgotten_for_good(tmp_path: Path) -> None:
    path = final_blocks_file(tmp_path)
    kept(path, range(1, 20)).forget_from(BlockNumber(12))
    assert list(FinalBlocks(path).hashes) == list(range(1, 12))


@pytest.mark.parametrize(
    "content", ["", "{}", '{"format": 2, "blocks": {}}', '{"format": 1, "blocks": {"x": 1}}']
)
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    path = final_blocks_file(tmp_path)
    path.write_text(content)
    with pytest.raises(FinalBlocksDamaged):
        FinalBlocks(path)
