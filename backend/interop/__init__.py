"""Standards in and out: what other systems send and read, turned into our consents and back."""
