"""S3 over libcurl: signed requests, responses, the default `ObjectStore`. Uses no SDK."""
