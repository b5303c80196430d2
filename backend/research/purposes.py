"""The purposes a study may have: HRESCH and what HL7 v3 PurposeOfUse lists below it.

Bits are indexes in the published table of 62 codes (the same as in consents). A study has exactly one purpose
and a consent must have exactly that bit: masks are literal, HRESCH does not stand for the codes below it.
"""

from __future__ import annotations

RESEARCH_PURPOSE_BIT = {
    "HRESCH": 38,
    "BIORCH": 39,
    "CLINTRCH": 40,
    "CLINTRCHNPC": 41,
    "CLINTRCHPC": 42,
    "PRECLINTRCH": 43,
    "DSRCH": 44,
    "POARCH": 45,
    "TRANSRCH": 46,
}
