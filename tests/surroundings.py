"""The environment variables that botocore and s3haul look at."""

import os


def telling() -> list[str]:
    """Those that are set here, by name."""
    return [
        name for name in os.environ if name.startswith(("AWS_", "S3HAUL_")) or name == "REQUESTS_CA_BUNDLE"
    ]
