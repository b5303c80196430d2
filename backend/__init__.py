"""Assent: a consent ledger for health records."""
