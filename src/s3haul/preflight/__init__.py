"""The check before the run: the ladder of access, a sample of the objects, the destination.

Beside the engine and independent of it. It asks, through `probes` and the store of a run, and collects
evidence as values; what the evidence means is decided in `diagnose.causes`.
"""
