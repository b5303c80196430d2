"""For those outside: opens what is sealed to a key, and encrypts what nobody but its readers may read.

Usable by itself: it needs ``cryptography``, ``cbor2`` and ``httpx``, and nothing of the service but the pure
modules that both sides share (``backend.records``: envelope, delivery, sealing, slots). The format is theirs.
"""

from backend.client.api import AssentClient, RequestRefused
from backend.client.end_to_end import Chain, Prepared, hand_over, prepare, share_key
from backend.client.keys import KeyRefused, PrivateKey, new_key, read_key, write_key
from backend.client.opening import OpenedSegment, is_release, open_file, open_release_file, open_segment
from backend.client.research import Researcher

__all__ = [
    "AssentClient",
    "Chain",
    "KeyRefused",
    "OpenedSegment",
    "Prepared",
    "PrivateKey",
    "RequestRefused",
    "Researcher",
    "hand_over",
    "is_release",
    "new_key",
    "open_file",
    "open_release_file",
    "open_segment",
    "prepare",
    "read_key",
    "share_key",
    "write_key",
]
