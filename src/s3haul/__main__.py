"""`python -m s3haul` is the `s3haul` command."""

from s3haul.cli.app import main

main()
