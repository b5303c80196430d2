"""Documents of other media types."""

from __future__ import annotations

from typing import Any

import pytest

from backend.errors import InvalidInput
from backend.records.attachments import attachment_segment
from backend.records.fhir_dates import ALL_TIME
from backend.records.fhir_errors import AttachmentLabelsInvalid, EmptyDocument, MediaTypeInvalid


def test_attachment_without_labels_is_a_restricted_document_of_unknown_time() -> None:
    part = attachment_segment(4, media_type="Application/PDF")
    assert (part.kind, part.media_type, part.resources) == (
        "documents/UNLABELLED", "application/pdf", 1,
    )  # fmt: skip
    assert (part.data_from, part.data_to) == ALL_TIME


def test_attachment_with_labels_carries_them_and_the_broader_topics() -> None:
    part = attachment_segment(
        1, media_type="image/png", categories=["imaging_pixels"], sensitivities=["PSY"], data_span=(5, 9)
    )
    assert part.kind == "imaging_pixels/PSY+BH+MH"
    assert (part.data_from, part.data_to) == (5, 9)
    assert attachment_segment(1, media_type="a/b", categories=["notes"], sensitivities=[]).kind == "notes"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"size_bytes": 0}, EmptyDocument),
        ({"media_type": "pdf"}, MediaTypeInvalid),
        ({"media_type": "text/plain\r\nX: 1"}, MediaTypeInvalid),
        ({"media_type": "application/fhir+json"}, MediaTypeInvalid),
        ({"categories": ["notes"]}, AttachmentLabelsInvalid),
        ({"sensitivities": []}, AttachmentLabelsInvalid),
        ({"categories": [], "sensitivities": []}, AttachmentLabelsInvalid),
        ({"categories": ["Notes"], "sensitivities": []}, AttachmentLabelsInvalid),
        ({"categories": ["notes"], "sensitivities": ["HIV", "NORMAL"]}, AttachmentLabelsInvalid),
        ({"data_span": (9, 9)}, AttachmentLabelsInvalid),
        ({"data_span": (-1, 9)}, AttachmentLabelsInvalid),
        ({"data_span": (0, 2**40)}, AttachmentLabelsInvalid),
    ],
)
def test_attachment_that_is_wrong_is_refused_by_name(
    change: dict[str, Any], error: type[InvalidInput]
) -> None:
    arguments: dict[str, Any] = {"size_bytes": 1, "media_type": "text/plain"} | change
    with pytest.raises(error):
        attachment_segment(arguments.pop("size_bytes"), **arguments)
