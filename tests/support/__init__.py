"""Stand-ins for stores in unit tests, and helpers shared by the suites."""
