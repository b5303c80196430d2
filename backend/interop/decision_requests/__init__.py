"""The decision in other systems' words: CDS Hooks ``patient-consent-consult`` and XACML 3.0 in JSON.

Pure translations, there and back. What is asked comes to the same decision service as ``POST /v1/decisions``;
``docs/decision_interfaces.md`` gives the mapping. A claim that is missing, unknown or said twice is refused:
leaving it out of the question could only widen the answer.
"""
