"""Write the published test vectors: ``python -m scripts.make_vectors [--check] [FOLDER]``.

Every decision is computed and compared with the answer written beside the case by hand, so that a change of
the algorithm cannot slip into the vectors. ``--check`` writes nothing and fails when a file would change.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.consent.decision import decide
from backend.consent.decision_json import decision_to_json, input_to_json
from backend.consent.notices import Notice, built_in
from backend.consent.tables import Tables, load_tables, published_versions
from backend.types import to_hex
from scripts.vectors import chains, denies, dimensions, edges, groups, members, people, permits, ranks, rules
from scripts.vectors.case import Case
from scripts.vectors.proofs import proof_vectors
from scripts.vectors.signed import summary_vectors, typed_data_vectors
from scripts.vectors.states import state_vectors
from scripts.vectors.world import TABLES

FOLDER = Path(__file__).resolve().parent.parent / "vectors"
GROUPS = (
    *(permits.scope, permits.validity, permits.revocation),
    *(denies.denies, denies.sensitivity, denies.data_period),
    *(rules.rules, rules.obligations, rules.uses),
    *(
        ranks.ranks,
        dimensions.dimensions,
        dimensions.demands,
        dimensions.demands_in_part,
        edges.edges,
        chains.acting,
        chains.chains,
    ),
    *(people.coverage, people.ledger, members.members, groups.groups, people.own_records, people.delegates),
)


def all_cases() -> Iterator[Case]:
    """Yield every case; names are unique within a topic."""
    for group in GROUPS:
        yield from group()


def decision_vector(case: Case) -> dict[str, Any]:
    """Return one vector. Raise ValueError when the decision is not the one expected by hand."""
    decision = decide(case.request)
    made = (
        decision.answer.value,
        decision.reasons[0].value,
        *(item.reason.value for item in decision.findings),
    )
    if made[: len(case.expect)] != case.expect:
        raise ValueError(f"{case.topic}/{case.name}: expected {case.expect}, decided {made}")
    return {
        "name": case.name,
        "input": input_to_json(case.request, TABLES, case.via),
        "decision": decision_to_json(decision, TABLES),
    }


def files() -> dict[str, str]:
    """Return the text of each file by its path below the folder of vectors."""
    topics: dict[str, list[dict[str, Any]]] = {}
    for case in all_cases():
        topics.setdefault(case.topic, []).append(decision_vector(case))
    head = _head(TABLES)
    contents: dict[str, Any] = {
        f"decisions/{topic}.json": {**head, "topic": topic, "cases": cases} for topic, cases in topics.items()
    }
    contents["typed_data.json"] = {"format": 2, **typed_data_vectors()}
    contents["proofs.json"] = {"format": 1, **proof_vectors()}
    contents["states.json"] = {"format": 1, **state_vectors()}
    contents["summaries.json"] = {**head, "cases": summary_vectors(TABLES)}
    contents["notices.json"] = {"format": 1, "cases": [notice_vector(notice) for notice in built_in()]}
    for version in published_versions()[:-1]:  # what was signed over earlier words stays verifiable
        earlier = load_tables(version)
        contents[f"summaries_v{version}.json"] = {**_head(earlier), "cases": summary_vectors(earlier)}
    return {
        name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in contents.items()
    }


def notice_vector(notice: Notice) -> dict[str, Any]:
    """Return one notice with the hash that terms name it by."""
    return {
        "language": notice.language,
        "mediaType": notice.media_type,
        "text": notice.content.decode(),
        "hash": to_hex(notice.hash),
    }


def _head(tables: Tables) -> dict[str, Any]:
    return {"format": 1, "tables": {"version": tables.version, "digest": tables.digest}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    changed = []
    for name, text in files().items():
        path: Path = arguments.folder / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        changed.append(name)
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    print("\n".join(changed) or "nothing to change")
    return 1 if arguments.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
