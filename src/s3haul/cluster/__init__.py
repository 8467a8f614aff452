"""Scaling out: a frozen plan, cut into shards, copied by many processes, merged into one manifest.

    plan        a listing is cut into shards, stored as files with checksums; `planner` writes them
    directory   the run's directory RUN on a shared file system: plan, claims of attempts, markers, limits
    records     the JSON files in it
    shard       one attempt at one shard: the ordinary engine with a journal on the node (`journal_directory`)
                and a marker that is published once
    broker      sessions of the role for workers that cannot assume it
    worker      what runs on a node: a process that works through shards, the check of the node
    driver      decides which shard is tried next, keeps the workers of an executor busy (`executor`: local
                processes, `ray`: a Ray cluster)
    audit       whether the results of all shards account for every planned key; `merge` combines them
    status      how far a run is, read from RUN

Only the run's directory is shared: any process that can access it can work on a shard.
"""
