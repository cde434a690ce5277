"""Runs of trackers: their records kept, and the figure that follows them."""
