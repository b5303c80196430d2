"""Who may call what, as a table, and what it takes to try every cell of it."""
