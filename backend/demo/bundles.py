"""The bundles that the story is told on."""

from __future__ import annotations

import json
from pathlib import Path

from backend.demo.study import K
from backend.errors import OperatorError
from scripts.generate_bundles import encode, generate

PATIENTS = 20
SEED = 7
# Two adults take no part in the study, one leaves between its runs, one is the child.
FEWEST = K + 4


class BundlesUnusable(OperatorError):
    code = "demo_bundles"
    remedy = f"Name a folder with at least {FEWEST} FHIR R4 bundles as .json files, each of one patient."


def read_bundles(folder: Path | None) -> list[bytes]:
    """Return the bundles of a folder that hold a patient, or generated ones.

    Files without one, such as the hospitals that Synthea writes beside its patients, are left out. Raises
    BundlesUnusable when too few are left.
    """
    if folder is None:
        return [encode(bundle) for bundle in generate(PATIENTS, SEED)]
    if not folder.is_dir():
        raise BundlesUnusable(f"{folder} is no folder.")
    found = [path.read_bytes() for path in sorted(folder.glob("*.json"))]
    usable = [content for content in found if _has_patient(content)]
    if len(usable) < FEWEST:
        raise BundlesUnusable(
            f"{folder} holds {len(usable)} bundles of patients in {len(found)} .json files."
        )
    return usable


def _has_patient(content: bytes) -> bool:
    """Whether there is a patient with what the story needs: a name and an identifier."""
    try:
        resources = [entry["resource"] for entry in json.loads(content)["entry"]]
        person = next(resource for resource in resources if resource["resourceType"] == "Patient")
        return bool(person["name"][0] and person["identifier"][0]["value"])
    except (ValueError, KeyError, IndexError, TypeError, StopIteration):
        return False
