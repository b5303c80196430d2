"""The audit log as a FHIR R4 search interface: parameters, matching, and what is answered."""
