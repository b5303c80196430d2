"""Tables out of FHIR resources: the view definitions of SQL on FHIR v2, run over one resource at a time."""
