"""The ethics board: reads the papers of a study, asks, signs M of N, and watches over what it permitted."""
