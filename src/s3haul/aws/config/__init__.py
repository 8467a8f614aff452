"""Profiles: reading and editing ~/.aws/config, the chain of profiles to real credentials, the effective settings."""
