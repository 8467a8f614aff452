"""The engine measured on a user's own bucket: which objects, which runs, what they took, and what holds them up.

There is no second engine here: each run is an ordinary haul of a sample, to a destination that is null, memory or
disk. `api.bench` puts the parts together; `cli.bench` shows the result.
"""
