"""Copies a bucket: listing, decision, download of one object, workers,
the run as a whole. `run` is the entry."""
