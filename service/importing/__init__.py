"""A user's own hours from a file into the store: `run` is the use case, the rest reads what a file may hold."""
