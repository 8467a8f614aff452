"""Reads many TLS records in one call. It makes no connection and decides nothing about trust.

OpenSSL hands out one record at a time, and `ssl` takes the interpreter back after each: of a large body
that is every 16 KiB, and threads that read two such bodies mostly wait for each other. OpenSSL's buffering
BIO, put before a connection, asks it for record after record until the memory is full or nothing more is
here; called by way of ctypes, it needs the interpreter once for all of them. Meanwhile OpenSSL reads ahead:
a few records with one system call, where each needs two otherwise.

The connection is still made, verified, written to and closed by `ssl`. All that is needed of it is the
address of OpenSSL's object, which is not public: it is read where CPython has it, and only if what lies
on both sides is what CPython has there. Anywhere else, and for every error, `ssl` reads, as it ever did.
"""

import _ssl
import ctypes
import ssl
import sys
import weakref
from collections.abc import Callable
from ctypes import c_int, c_long, c_size_t, c_void_p
from functools import cache
from socket import socket

RECORD = 16 << 10  # bytes, RFC 8446 5.1; also more than what a buffering BIO would keep for itself
AHEAD = 4 * (RECORD + 256)  # bytes, encrypted (RFC 8446 5.2); twice as many are slower

# openssl/bio.h
_SET_SSL = 109  # BIO_C_SET_SSL
_NOCLOSE = 0  # BIO_NOCLOSE
_SHOULD_RETRY = 8  # BIO_FLAGS_SHOULD_RETRY

_SIGNATURES = {
    "BIO_f_buffer": (c_void_p,),
    "BIO_f_ssl": (c_void_p,),
    "BIO_new": (c_void_p, c_void_p),
    "BIO_ctrl": (c_long, c_void_p, c_int, c_long, c_void_p),
    "BIO_push": (c_void_p, c_void_p, c_void_p),
    "BIO_read": (c_int, c_void_p, c_void_p, c_int),
    "BIO_test_flags": (c_int, c_void_p, c_int),
    "BIO_free_all": (None, c_void_p),
    "SSL_set_default_read_buffer_len": (None, c_void_p, c_size_t),
    "SSL_set_quiet_shutdown": (None, c_void_p, c_int),
    "SSL_set_read_ahead": (None, c_void_p, c_int),
}


def receiver(line: socket) -> Callable[[memoryview], int]:
    """The `recv_into` of a connection that does not block; over TLS of all records that are here, where it can be."""
    if not isinstance(line, ssl.SSLSocket):
        return line.recv_into
    openssl, address = _openssl(), _address(line)
    if openssl is None or address is None:
        return line.recv_into
    return Records(line, openssl, address).recv_into


class Records:
    """The records of one connection, whose object of OpenSSL's is at `address`."""

    def __init__(self, line: ssl.SSLSocket, openssl: ctypes.CDLL, address: int) -> None:
        self._line = line
        self._openssl = openssl
        self._address = address
        self._kept = line._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - frees the object at `address`
        self._over = False
        openssl.SSL_set_default_read_buffer_len(address, AHEAD)
        source = openssl.BIO_new(openssl.BIO_f_ssl())
        openssl.BIO_ctrl(source, _SET_SSL, _NOCLOSE, address)
        self._chain = openssl.BIO_push(openssl.BIO_new(openssl.BIO_f_buffer()), source)

    def __del__(self) -> None:
        # Some releases say goodbye here, be it to whoever has the number of the descriptor by now.
        self._openssl.SSL_set_quiet_shutdown(self._address, 1)
        self._openssl.BIO_free_all(self._chain)

    def recv_into(self, view: memoryview) -> int:
        """As `SSLSocket.recv_into`, of which it is a substitute, with the same errors."""
        if not self._over and len(view) > RECORD:
            memory = ctypes.addressof(ctypes.c_char.from_buffer(view))
            # Only here: what was read ahead makes no descriptor readable, so who waits must have read everything.
            self._openssl.SSL_set_read_ahead(self._address, 1)
            size: int = self._openssl.BIO_read(self._chain, memory, len(view))
            self._openssl.SSL_set_read_ahead(self._address, 0)
            if size > 0:
                # What ended it early, other than a lack of bytes, is for `ssl` to find and to tell.
                self._over = size < len(view) and not self._openssl.BIO_test_flags(self._chain, _SHOULD_RETRY)
                return size
        return self._line.recv_into(view)


@cache
def _openssl() -> ctypes.CDLL | None:
    """The OpenSSL that `ssl` uses, reached by way of its module; None where it is hidden there, or another library."""
    try:
        library = ctypes.CDLL(_ssl.__file__)
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (AttributeError, OSError):
        return None
    return library


def _address(line: ssl.SSLSocket) -> int | None:
    """Where OpenSSL's object of a connection is, according to CPython's; None if that looks unlike what is known.

    PySSLSocket of Modules/_ssl.c begins with a weak reference to the socket, then has this, then the context.
    """
    if sys.implementation.name != "cpython":
        return None
    inner, fields = getattr(line, "_sslobj", None), c_void_p * 3
    if type(inner).__basicsize__ < object.__basicsize__ + ctypes.sizeof(fields):
        return None
    reference, address, context = fields.from_address(id(inner) + object.__basicsize__)
    known = context == id(line.context) and reference in [id(each) for each in weakref.getweakrefs(line)]
    return address if known else None
