"""A Ray cluster of a few nodes with one CPU each, on loopback, with TLS;
collected only where `make test-ray` asks for it."""

import os
import tempfile

import trustme

collect_ignore_glob = [] if os.environ.get("S3HAUL_TEST_RAY") else ["test_*.py"]

if not collect_ignore_glob:
    # Ray reads its variables when it is imported. Without the first one it would not
    # listen on loopback alone.
    os.environ |= {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_USE_TLS": "1",
    }
    directory = tempfile.TemporaryDirectory()  # removed when the tests end
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = {
        "RAY_TLS_CA_CERT": authority.cert_pem,
        "RAY_TLS_SERVER_CERT": certificate.cert_chain_pems[0],
        "RAY_TLS_SERVER_KEY": certificate.private_key_pem,
    }
    for name, pem in files.items():
        os.environ[name] = f"{directory.name}/{name}"
        pem.write_to_path(os.environ[name])
