"""S3 over libcurl: signed requests, responses, the default `ObjectStore`. Knows no SDK."""
