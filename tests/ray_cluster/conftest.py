"""A Ray cluster of two nodes with one CPU each, on loopback; collected only where `make test-ray` asks for it."""

import os

collect_ignore_glob = [] if os.environ.get("S3HAUL_TEST_RAY") else ["test_*.py"]
