"""Measures the goals of the project, each against its reference in the same run."""
