"""All FHIR of a patient as one Bundle (FHIR R4, type ``collection``), resources as they were stored.

A resource that several records hold, the Patient above all, stands once, as the newest record has it. Other
documents are named by a DocumentReference each; its ``url`` is their file in the archive.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Final

from backend.records.fhir_json import Limits, read_bundle

_OUR_OWN: Final = Limits(max_bytes=1 << 40, max_entries=1 << 40)  # bounded when it came in


class WholeRecord:
    """Takes the records of one patient, oldest first. Keeps them compressed: there may be many."""

    def __init__(self) -> None:
        self._resources: dict[str, bytes] = {}
        self._patient: str | None = None
        self._documents: list[tuple[str, str, str, int]] = []

    def add_bundle(self, payload: bytes) -> None:
        """Take a released FHIR segment."""
        for entry in read_bundle(payload, _OUR_OWN).entries:
            resource = entry.members["resource"]
            own = f"{resource['resourceType']}/{resource['id']}" if "id" in resource else None
            name = entry.members.get("fullUrl") or own or f"#{len(self._resources)}"
            if resource["resourceType"] == "Patient":
                self._patient = name
            url = entry.members.get("fullUrl")
            head = f'"fullUrl":{json.dumps(url, ensure_ascii=False)},' if url else ""
            self._resources.pop(name, None)  # so that the newest stands last
            self._resources[name] = zlib.compress(f'{{{head}"resource":{entry.resource_text}}}'.encode(), 1)

    def add_document(self, identifier: str, media_type: str, file: str, size_bytes: int) -> None:
        """Take a document that is no FHIR, by its file in the archive."""
        self._documents.append((identifier, media_type, file, size_bytes))

    def __len__(self) -> int:
        return len(self._resources) + len(self._documents)

    def bundle(self) -> Iterator[bytes]:
        """Yield the Bundle's JSON."""
        yield b'{"resourceType":"Bundle","type":"collection"'
        separator = b',"entry":['
        for compressed in self._resources.values():
            yield separator + zlib.decompress(compressed)
            separator = b","
        for identifier, media_type, file, size_bytes in self._documents:
            yield separator + json.dumps(self._reference(identifier, media_type, file, size_bytes)).encode()
            separator = b","
        yield b"}" if separator != b"," else b"]}"

    def _reference(self, identifier: str, media_type: str, file: str, size_bytes: int) -> dict[str, object]:
        resource: dict[str, object] = {
            "resourceType": "DocumentReference",
            "status": "current",
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:assent:record:{identifier}"}],
            "content": [{"attachment": {"contentType": media_type, "url": file, "size": size_bytes}}],
        }
        if self._patient is not None:
            resource["subject"] = {"reference": self._patient}
        return {"resource": resource}
