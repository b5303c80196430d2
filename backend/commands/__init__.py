"""The commands of the program ``assent``, a module per subject; ``backend.cli`` puts them together."""
