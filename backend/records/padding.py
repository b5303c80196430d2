"""PADMÉ: sizes that leak O(log log n) bits at under 12 percent cost.

Source: Nikitin, Barman, Lueks, Underwood, Hubaux, Ford, "Reducing Metadata Leakage from Encrypted Files and
Communication with PURBs", PoPETs 2019, algorithm 1.
"""

from __future__ import annotations

from typing import Final

MINIMUM_BYTES: Final = 4096  # below it PADMÉ would still tell short notes apart


def padded_size(size_bytes: int) -> int:
    """Return the size a frame of ``size_bytes`` is padded to: the PADMÉ size, at least 4 KiB."""
    if size_bytes < 0:
        raise ValueError("a size is not negative")
    size = max(size_bytes, MINIMUM_BYTES)
    exponent = size.bit_length() - 1
    # A floating-point-like size: `exponent` gets as many mantissa bits as writing the exponent itself takes.
    zero_bits = exponent - exponent.bit_length()
    mask = (1 << zero_bits) - 1
    return (size + mask) & ~mask
