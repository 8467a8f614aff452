"""Limits that both transports use, so that they behave the same."""

CONNECT_TIMEOUT = 10  # seconds
SPARE_CONNECTIONS = 8  # in addition to those of GETs: for listings and HEADs
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # statuses, never followed
