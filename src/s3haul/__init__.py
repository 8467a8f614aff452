"""s3haul: haul an SSE-KMS bucket out of another account, verified, resumable, accounted for."""

__version__ = "0.1.0"
