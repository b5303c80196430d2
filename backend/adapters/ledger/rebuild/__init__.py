"""What the contracts store, made again from nothing but their events: pure, no chain is asked.

A module a contract. ``ledger_state`` holds them together; ``trie`` gives the root that a node's own storage
root must equal, which shows that nothing else is stored.
"""
