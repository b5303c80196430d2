"""What an operator needs to see of a running service, and which of it must not wait."""
