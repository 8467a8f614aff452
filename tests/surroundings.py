"""The environment variables that botocore and s3haul look at."""

import os


def aws_variables() -> list[str]:
    """The names of those that are set here."""
    return [
        name for name in os.environ if name.startswith(("AWS_", "S3HAUL_")) or name == "REQUESTS_CA_BUNDLE"
    ]
