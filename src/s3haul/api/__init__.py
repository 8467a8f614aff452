"""The Python API, and the place where runs are assembled: the command line comes through here as well.

    from s3haul import AccessOptions, DestinationOptions, SourceOptions, download

    stats = await download(
        SourceOptions(bucket="BUCKET", prefix="2024/"),
        DestinationOptions(root=Path("data")),
        access=AccessOptions(profile="export"),
    )

`s3haul` itself names everything public. Nothing is printed, and no signal is handled unless that is asked for.
Several downloads may run in one process, each into a destination of its own; cancelling one ends it in order, and
the same call resumes it. Errors are those of `s3haul.errors`.
"""
