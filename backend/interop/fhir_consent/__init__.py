"""FHIR Consent R4 and R5 and the IHE PCF profiles: export and import. See docs/fhir_consent.md."""
