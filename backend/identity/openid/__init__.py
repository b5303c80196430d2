"""People and systems whom an OpenID Connect provider vouches for.

What the provider signed is exchanged here for a session of ours, and is never accepted for anything else. See
docs/decisions/0040-openid-connect.md.
"""
