"""Access tokens bound to a patient's consents, for providers' systems and the servers they show them to."""
