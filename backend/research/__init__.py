"""Research on consenting patients: studies, differentially private answers and k-anonymous tables."""
