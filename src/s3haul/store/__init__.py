"""The interface to S3, and what every request passes: limits, retries, renewal of credentials."""
