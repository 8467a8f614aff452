"""Many TLS records in one call, and otherwise just what `ssl` does: real connections, which block."""

import gc
import os
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
import trustme

from s3haul.aws.wire import records
from s3haul.aws.wire.records import RECORD, receiver

SEVERAL = 40 * RECORD


@pytest.fixture(scope="module")
def contexts():
    """Of a client and a server."""
    authority = trustme.CA()
    ours, theirs = (ssl.SSLContext(each) for each in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER))
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    return ours, theirs


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def pair(contexts, request):
    with connected(*contexts, ssl.TLSVersion[request.param.replace(".", "_")]) as both:
        yield both


@contextmanager
def connected(ours, theirs, version=ssl.TLSVersion.TLSv1_3):
    """Both ends of one connection."""
    ours.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as door:
        client = socket.create_connection(door.getsockname())
        server, _ = door.accept()
    server = theirs.wrap_socket(server, server_side=True, do_handshake_on_connect=False)
    client = ours.wrap_socket(client, server_hostname="127.0.0.1", do_handshake_on_connect=False)
    hands = threading.Thread(target=server.do_handshake)
    hands.start()
    client.do_handshake()
    hands.join()
    with client, server:
        yield client, server


@contextmanager
def sending(server, data):
    sender = threading.Thread(target=server.sendall, args=(data,))
    sender.start()
    yield
    sender.join()


def garble(server):
    """Bytes that belong to no record of this connection, past its TLS."""
    socket.socket.send(server, b"\x17\x03\x03\x00\x20" + bytes(32))


def test_this_python_reads_many_records_at_a_time(pair):
    client, server = pair
    assert isinstance(receiver(client).__self__, records.Records)
    data, memory = bytes(range(256)) * (SEVERAL // 256), memoryview(bytearray(SEVERAL))
    with sending(server, data):
        assert receiver(client)(memory) == SEVERAL
    assert memory == data


def test_both_ways_of_reading_take_turns_without_a_byte_lost_between_them(pair):
    client, server = pair
    receive, data, got = receiver(client), bytes(range(251)) * 4000, bytearray()
    memory = memoryview(bytearray(SEVERAL))
    sizes = (1, RECORD, RECORD + 1, 100, 3 * RECORD + 7, 5_000)
    with sending(server, data):
        for turn in range(len(data)):
            size = min(sizes[turn % len(sizes)], len(data) - len(got))
            if not size:
                break
            read = client.recv_into if turn % 4 == 3 else receive
            got += memory[: read(memory[:size])]
    assert got == data


def test_nothing_here_yet_is_what_ssl_says_of_it(pair):
    client, _ = pair
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        receiver(client)(memoryview(bytearray(SEVERAL)))


def test_what_is_here_is_returned_though_more_was_asked_for(pair):
    client, server = pair
    server.sendall(b"few")
    client.recv(1)  # all of it is here, then
    client.setblocking(False)
    memory = memoryview(bytearray(SEVERAL))
    assert receiver(client)(memory) == 2
    assert memory[:2] == b"ew"


def test_the_end_is_an_end_after_all_that_came_before_it(pair):
    client, server = pair
    receive, memory = receiver(client), memoryview(bytearray(SEVERAL))
    server.sendall(b"x" * 50_000)
    socket.socket.shutdown(server, socket.SHUT_WR)
    assert sum(iter(lambda: receive(memory), 0)) == 50_000
    assert receive(memory) == 0


@pytest.mark.parametrize("before", [0, 50_000])
def test_a_record_that_does_not_decrypt_is_the_error_of_ssl(pair, before):
    client, server = pair
    receive, memory = receiver(client), memoryview(bytearray(SEVERAL))
    if before:
        server.sendall(b"x" * before)
    garble(server)
    if before:
        assert receive(memory) == before
    with pytest.raises(ssl.SSLError, match="bad record mac"):
        receive(memory)


def test_an_error_of_one_connection_is_not_found_by_the_next(contexts):
    with connected(*contexts) as (bad, theirs), connected(*contexts) as (good, _):
        memory = memoryview(bytearray(SEVERAL))
        garble(theirs)
        with pytest.raises(ssl.SSLError, match="bad record mac"):
            receiver(bad)(memory)
        good.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            good.recv_into(memory)


def test_it_writes_nothing_when_it_goes_not_even_to_who_has_the_number_of_its_descriptor_by_then(contexts):
    with connected(*contexts) as (client, server):
        server.suppress_ragged_eofs = False
        receive, memory = receiver(client), memoryview(bytearray(SEVERAL))
        with sending(server, bytes(SEVERAL)):
            receive(memory)
        number, spare = client.fileno(), os.dup(client.fileno())
        client.close()
        os.dup2(spare, number)
        os.close(spare)
        del receive
        gc.collect()
        os.close(number)
        with pytest.raises(ssl.SSLEOFError):  # an end without the goodbye of TLS
            server.recv(1)


def test_without_tls_the_socket_reads():
    with socket.socket() as line:
        assert receiver(line) == line.recv_into


def test_an_openssl_that_is_hidden_or_another_library_leaves_the_reading_to_ssl(pair, monkeypatch):
    client, _ = pair
    try:
        for hidden in ({"__file__": None}, {"__file__": "/no/library.so"}):
            records._openssl.cache_clear()
            monkeypatch.setattr(records, "_ssl", type("module", (), hidden))
            assert receiver(client) == client.recv_into
        monkeypatch.undo()
        records._openssl.cache_clear()
        monkeypatch.setitem(records._SIGNATURES, "BIO_f_unheard_of", (None,))
        assert receiver(client) == client.recv_into
    finally:
        records._openssl.cache_clear()


def test_an_object_that_is_laid_out_otherwise_is_never_followed(pair, monkeypatch):
    client, _ = pair
    known = records._address(client)
    assert known
    with monkeypatch.context() as patch:
        patch.setattr(client, "_context", ssl.create_default_context())
        assert records._address(client) is None
    with monkeypatch.context() as patch:
        patch.setattr(records.weakref, "getweakrefs", lambda _: [])
        assert records._address(client) is None
    with monkeypatch.context() as patch:
        patch.setattr(client, "_sslobj", None)
        assert records._address(client) is None
        assert receiver(client) == client.recv_into
    assert records._address(client) == known
