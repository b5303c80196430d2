"""What an operator does to the data of a stopped service: check it, rebuild it, load into it."""
