"""Measures the engine on a user's own bucket: which objects, which runs,
how long they took, and the bottleneck.

There is no second engine here: each run is an ordinary run over a sample, to a destination that is null,
memory or disk. `api.bench` makes the runs in their order; `cli.bench` shows the result.
"""
