"""One patient's record and its keys; every value is fixed, so that a failure repeats."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from backend.keystore import Secret
from backend.records.context import ContentContext, SegmentKeyId
from backend.records.wrapping import SegmentKey
from backend.types import MemberId, RecordId, SubjectId

HOSPITAL = MemberId(b"\x01" * 32)


@dataclass(frozen=True)
class Keys:
    dek: Secret
    erasure_share: Secret
    master: Secret
    laboratory: SegmentKey


@pytest.fixture
def context() -> ContentContext:
    return ContentContext(tenant=HOSPITAL, record_id=RecordId(b"\x02" * 16), version=1, segment="c10.s0")


@pytest.fixture
def keys() -> Keys:
    key_id = SegmentKeyId(tenant=HOSPITAL, subject=SubjectId(77), kind="c10.s0", epoch=3)
    return Keys(
        dek=Secret(b"\x03" * 32),
        erasure_share=Secret(b"\x04" * 32),
        master=Secret(b"\x05" * 32),
        laboratory=SegmentKey(key_id, Secret(b"\x06" * 32)),
    )
