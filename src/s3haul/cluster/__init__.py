"""Scaling out: a frozen plan, cut into shards, hauled by many processes, merged into one manifest.

    plan        core of it: a listing becomes shards (`cutting`), stored as files with checksums (`plan_files`)
    directory   the run's directory RUN on a shared file system: plan, claims of attempts, markers, limits
    shard       one attempt at one shard: the ordinary engine with a journal on the node, a marker published once
    worker      a process that works through shards
    schedule    which shard is tried next: pure decisions of the driver
    driver      keeps the workers of an executor busy (`local`: processes, `ray`: a Ray cluster)
    audit       pure: does what the shards say account for every planned key? `merge` acts on it

Nothing but the run's directory is shared: who can see it can work on a shard, whoever started it.
"""
