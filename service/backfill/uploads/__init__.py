"""Backfills over HTTP: an upload is kept, converted by a process of its own, and its result fetched later."""
