"""What both transports keep to, so that they behave alike."""

CONNECT_TIMEOUT = 10  # seconds
SPARE_CONNECTIONS = 8  # beside the transfers: listings, HEADs
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # statuses, never followed
