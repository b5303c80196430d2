"""India's ABDM: consent requests and artefacts in the words of its gateway (API 0.5)."""
