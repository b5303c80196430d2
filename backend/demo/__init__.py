"""The story that ``make demo`` tells and checks, through the public API and with real signatures."""
