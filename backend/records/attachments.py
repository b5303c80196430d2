"""Documents that are not FHIR: one segment each, restricted unless the uploader says what it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from backend.records.fhir_dates import ALL_TIME, Span
from backend.records.fhir_errors import AttachmentLabelsInvalid, EmptyDocument, MediaTypeInvalid
from backend.records.label_loading import label_tables
from backend.records.label_tables import UNLABELLED, LabelTables
from backend.records.segments import FHIR_MEDIA_TYPE, Segment, kind_name
from backend.types import MAX_UINT40

# RFC 6838, section 4.2: restricted names of at most 127 characters; parameters are not kept.
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")


def attachment_segment(
    size_bytes: int,
    *,
    media_type: str,
    categories: Collection[str] | None = None,
    sensitivities: Collection[str] | None = None,
    data_span: Span | None = None,
    tables: LabelTables | None = None,
) -> Segment:
    """Return the one segment of a document of any media type but FHIR JSON, without its content, which may
    not fit into memory.

    Without labels it is filed under documents and restricted. With labels, both are given: category codes (at
    least one) and sensitivity codes (none means normal); broader topics of a narrower one are added.
    ``data_span`` is half open in unix seconds; without it the time is unknown.

    :raises EmptyDocument, MediaTypeInvalid, AttachmentLabelsInvalid:
    """
    tables = tables or label_tables()
    if not size_bytes:
        raise EmptyDocument
    media_type = require_media_type(media_type)
    if (categories is None) != (sensitivities is None):
        raise AttachmentLabelsInvalid(field="sensitivities" if sensitivities is None else "categories")
    if categories is None or sensitivities is None:
        category, sensitivity = tables.category_bits["documents"], UNLABELLED
    else:
        category, sensitivity = stated_labels(categories, sensitivities, tables)
    start, end = ALL_TIME if data_span is None else data_span
    if not 0 <= start < end <= MAX_UINT40:
        raise AttachmentLabelsInvalid(field="data_span")
    return Segment(
        kind=kind_name(category, sensitivity, tables),
        categories=category,
        sensitivities=sensitivity,
        data_from=start,
        data_to=end,
        resources=1,
        media_type=media_type,
        payload=b"",
    )


def stated_labels(
    categories: Collection[str], sensitivities: Collection[str], tables: LabelTables
) -> tuple[int, int]:
    """Return the masks of stated labels: category codes (at least one), and sensitivity codes to which the
    broader topics are added. Raises AttachmentLabelsInvalid."""
    category = _mask(categories, tables.category_bits, "categories")
    if not category:
        raise AttachmentLabelsInvalid(field="categories")
    return category, tables.closure(_mask(sensitivities, tables.sensitivity_bits, "sensitivities"))


def require_media_type(media_type: str) -> str:
    """Return the media type of a document that is not FHIR in lower case; raise MediaTypeInvalid."""
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type.lower() == FHIR_MEDIA_TYPE:
        raise MediaTypeInvalid(field="media_type")
    return media_type.lower()


def _mask(codes: Collection[str], bits: Mapping[str, int], field: str) -> int:
    mask = 0
    for position, code in enumerate(codes):
        if code not in bits:
            raise AttachmentLabelsInvalid(field=f"{field}[{position}]")
        mask |= bits[code]
    return mask
