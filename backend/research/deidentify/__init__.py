"""De-identified row-level FHIR R4 for a study: HIPAA Safe Harbor (45 CFR 164.514(b)(2)), dates shifted."""
