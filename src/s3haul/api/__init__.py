"""The Python API. The command line uses it, too.

    from s3haul import AccessOptions, DestinationOptions, SourceOptions, download

    stats = await download(
        SourceOptions(bucket="BUCKET", prefix="2024/"),
        DestinationOptions(root=Path("data")),
        access=AccessOptions(profile="export"),
    )

Functions and options are in `s3haul`; what they return, in `s3haul.core.stats`, `s3haul.audit` and
`s3haul.api.check`; all events in `s3haul.events`; all errors in `s3haul.errors`. Nothing is printed, and
signals are handled only on request. Several downloads can run in one process, each with its own destination.
If one is cancelled, it saves its state, and the same call resumes it.
"""
