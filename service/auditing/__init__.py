"""The store's own audit: whether the sources of a zone still label their hours as they did."""
