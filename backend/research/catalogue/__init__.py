"""What the custodian offers to research: variables, their protected counts, and what a draft would get."""
