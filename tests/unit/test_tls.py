"""All connections that trust the same file share one TLS context."""

import os

import pytest
import trustme

from s3haul.aws.endpoints import tls_context


def test_the_tls_context_of_a_file_is_shared_until_the_file_changes(tmp_path):
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    first = tls_context(str(path))
    assert tls_context(str(path)) is first
    trustme.CA().cert_pem.write_to_path(str(path))
    os.utime(path, ns=(1, 1))
    second = tls_context(str(path))
    assert second is not first
    assert second.get_ca_certs() != first.get_ca_certs()


def test_a_file_that_is_missing_or_has_no_certificate_is_an_os_error(tmp_path):
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(OSError, match=r"No such file|NO_CERTIFICATE"):
            tls_context(str(tmp_path / name))
