"""The check before a run: the steps of access, a sample of the objects, the destination.

Independent of the engine. It sends requests with `probes` and with the store that a run uses, and collects
the results as evidence; `diagnose.causes` decides what the evidence means.
"""
