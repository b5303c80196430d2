"""De-identified FHIR records of single patients as they leave: made by a run, packed, sealed, given out."""
