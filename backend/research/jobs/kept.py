"""What is kept of the result of a run: from before it is committed to until it is removed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from backend.research.canonical import digest_of
from backend.research.exports.types import KeptExport
from backend.research.result import Commitment, RunResult
from backend.research.study import Study


@dataclass(frozen=True, slots=True)
class KeptResult:
    """``result`` with its digest, and beside it ``snapshot`` (32 bytes), of the consents it was made under,
    ``pseudonyms``, of a table's rows, and how many ``participants`` there were. ``apart``: the rows leave as
    a dataset alone. ``export``: where the records of single patients lie, if the run made any."""

    result: dict[str, Any]
    snapshot: bytes
    pseudonyms: tuple[str, ...]
    participants: int
    apart: bool
    export: KeptExport | None

    @classmethod
    def of(cls, study: Study, result: RunResult, export: KeptExport | None) -> KeptResult:
        return cls(
            result={**result.as_json(), "digest": "0x" + result.digest.hex()},
            snapshot=result.snapshot,
            pseudonyms=result.row_pseudonyms,
            participants=len(result.participants),
            apart=study.proposal.dataset is not None,
            export=export,
        )

    @property
    def commitment(self) -> Commitment:
        return Commitment(
            digest=bytes.fromhex(self.result["digest"][2:]),
            run_id=bytes.fromhex(self.result["run"]),
            snapshot=self.snapshot,
            participants=self.participants,
            published=self.result["included"][1],
        )

    @property
    def released(self) -> bytes:
        """The digest of the table, or of what is said of the records of single patients; b"" without both."""
        found = self.result["table"] or self.result.get("fhir")
        return b"" if found is None else digest_of(found)

    def without_table(self, reason: str) -> KeptResult:
        """The same without its table, whose place the error code ``reason`` takes. The digest stays that of
        the whole: it is what was committed to."""
        return replace(self, result={**self.result, "table": None, "table_refusal": reason}, pseudonyms=())

    def encoded(self) -> bytes:
        document = {
            "result": self.result,
            "snapshot": self.snapshot.hex(),
            "pseudonyms": list(self.pseudonyms),
            "participants": self.participants,
            "apart": self.apart,
            "export": None if self.export is None else self.export.as_json(),
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> KeptResult:
        found: dict[str, Any] = json.loads(encoded)
        return cls(
            result=found["result"],
            snapshot=bytes.fromhex(found["snapshot"]),
            pseudonyms=tuple(found["pseudonyms"]),
            participants=found["participants"],
            apart=found["apart"],
            export=None if found["export"] is None else KeptExport.from_json(found["export"]),
        )
