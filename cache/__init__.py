"""The series store: one contract, and the stores that keep it."""
