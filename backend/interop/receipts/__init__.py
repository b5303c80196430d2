"""Consent records and receipts after ISO/IEC TS 27560:2023, as JSON-LD in the terms of W3C DPV, signed.

The fields and their DPV terms are those of the DPVCG report "Consent Records and Receipts as per ISO/IEC TS
27560:2023 using DPV" (1 August 2024), section 8.2. ``docs/receipts.md`` says where each one comes from.
"""
