"""The audit log: an RFC 6962 Merkle log of salted commitments to encrypted events.

``docs/audit.md`` explains the formats; ``verify.py`` checks proofs without the rest of this package.
"""
