"""The embedded cloud: S3, STS, KMS and IAM in one process, for tests, the demo and rehearsals.
Shares no code with the client."""
