"""The curl transport refuses what nobody should accept: strangers, redirects, unsound HTTP."""

import asyncio
import gc
import ssl
import weakref

import pytest
import trustme

from contract.loading import loaded
from faults.canned import answer, canned, listening, server_context
from faults.curl import curl_on
from faults.stores import fault_of, read
from s3haul.aws.endpoints import authorities, tls_context
from s3haul.errors import FaultKind, StoreError
from s3haul.store.protocol import GetRequest, HeadRequest

BODY = b"the object"
OBJECT = answer("200 OK", BODY, ETag='"e"', Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")
TOKEN = b"the-session-token"


async def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(authority, ca_file):
    async with (
        canned(lambda _: OBJECT, server_context(authority, "other.example")) as server,
        curl_on(f"https://localhost:{server.port}", ca=ca_file) as store,
    ):
        assert (await fault_of(read(store, "k"))).kind is FaultKind.TLS
        assert server.requests == []


@pytest.mark.parametrize(("name", "host"), [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")])
async def test_a_certificate_for_the_right_name_or_address_is_accepted(authority, ca_file, name, host):
    async with (
        canned(lambda _: OBJECT, server_context(authority, name)) as server,
        curl_on(f"https://{host}:{server.port}", ca=ca_file) as store,
    ):
        assert await read(store, "k") == BODY


async def test_an_unknown_authority_is_refused_before_anything_is_sent(ca_file):
    stranger = server_context(trustme.CA(), "localhost")
    async with (
        canned(lambda _: OBJECT, stranger) as server,
        curl_on(f"https://localhost:{server.port}", ca=ca_file) as store,
    ):
        assert (await fault_of(read(store, "k"))).kind is FaultKind.TLS
        assert server.requests == []


@pytest.mark.parametrize("bundle", [None, ""])
async def test_without_a_bundle_the_public_authorities_are_trusted_and_no_other(authority, bundle):
    async with (
        canned(lambda _: OBJECT, server_context(authority, "localhost")) as server,
        curl_on(f"https://localhost:{server.port}", ca=bundle) as store,
    ):
        assert (await fault_of(read(store, "k"))).kind is FaultKind.TLS


def test_names_are_verified_and_old_versions_of_tls_are_not_spoken():
    context = tls_context(authorities(None))
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] > 50


async def test_a_server_without_tls_and_a_refused_connection_are_distinguished(ca_file):
    async with (
        canned(lambda _: OBJECT) as server,
        curl_on(f"https://localhost:{server.port}", ca=ca_file) as store,
    ):
        assert (await fault_of(read(store, "k"))).kind in FAULTS | {FaultKind.TLS}
    async with curl_on("https://127.0.0.1:1", ca=ca_file) as store:
        assert (await fault_of(read(store, "k"))).kind is FaultKind.CONNECT
    async with curl_on("https://nothing.invalid", ca=ca_file) as store:
        assert (await fault_of(read(store, "k"))).kind is FaultKind.CONNECT


async def test_a_handshake_that_is_cut_off_is_a_lost_connection_and_not_a_refused_certificate(ca_file):
    async def hang_up(reader, writer):
        await reader.read(100)

    async with listening(hang_up) as port, curl_on(f"https://localhost:{port}", ca=ca_file) as store:
        assert (await fault_of(read(store, "k"))).kind is FaultKind.CONNECT


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 x", "308 x"])
async def test_a_redirect_is_refused_and_the_second_server_is_not_contacted(status):
    async with canned(lambda _: OBJECT) as second:
        url = f"http://127.0.0.1:{second.port}/b/k"
        elsewhere = answer(status, Location=url, x_amz_bucket_region="eu-west-1")
        async with canned(lambda _: elsewhere) as first, curl_on(f"http://127.0.0.1:{first.port}") as store:
            fault = await fault_of(read(store, "k"))
            assert (fault.kind, fault.region) == (FaultKind.REDIRECT, "eu-west-1")
            assert fault.status == int(status[:3])
            for other in (store.list_page(""), store.head(HeadRequest("k")), store.part_layout("k")):
                assert (await fault_of(other)).kind is FaultKind.REDIRECT
            assert TOKEN in first.requests[0]
        assert (second.connections, second.requests) == (0, [])


SOUND = {
    "plain": OBJECT,
    "names in lower case": OBJECT.replace(b"Content-Length", b"content-length").replace(b"ETag", b"etag"),
    "chunks": answer("200 OK").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    + b"4\r\nthe \r\n6;x=y\r\nobject\r\n0\r\nTrailer: x\r\n\r\n",
    "an interim answer": b"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n".replace(
        b"Content-Length: 3", b"X: y"
    )
    + OBJECT,
    "early hints": b"HTTP/1.1 103 Early Hints\r\nETag: other\r\n\r\n" + OBJECT,
    "metadata that is not UTF-8": OBJECT.replace(b"ETag", b"x-amz-meta-city: K\xf6ln\r\nETag"),
    "metadata twice": OBJECT.replace(b"ETag", b"x-amz-meta-a: 1\r\nx-amz-meta-a: 2\r\nETag"),
    "the same ETag twice": OBJECT.replace(b"ETag", b'ETag: "e"\r\nETag'),
    "two dates": OBJECT.replace(b"ETag", b"Date: x\r\nDate: y\r\nETag"),
    "compressed": OBJECT.replace(b"ETag", b"Content-Encoding: gzip\r\nETag"),
    "a last answer": OBJECT.replace(b"ETag", b"Connection: close\r\nETag"),
    "bytes behind it": OBJECT + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "garbage behind it": OBJECT + b"\0garbage",
}


@pytest.mark.parametrize("sent", SOUND.values(), ids=SOUND)
async def test_a_valid_response_is_accepted_unchanged(sent):
    async with canned(lambda _: sent) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        async with loaded(store, GetRequest("k")) as body:
            assert body.body == BODY
            assert body.meta.etag == '"e"' or b"chunked" in sent
        assert await read(store, "k") == BODY


@pytest.mark.parametrize("case", ["a last answer", "bytes behind it", "garbage behind it"])
async def test_a_connection_that_is_not_clean_is_not_used_again(case):
    async with canned(lambda _: SOUND[case]) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        for _ in range(3):
            assert await read(store, "k") == BODY
        assert server.connections == 3


def with_length(value: bytes) -> bytes:
    return OBJECT.replace(b"Content-Length: 10", b"Content-Length: " + value)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNSOUND = {
    "two lengths": OBJECT.replace(b"ETag", b"Content-Length: 3\r\nETag"),
    "the same length twice": OBJECT.replace(b"ETag", b"Content-Length: 10\r\nETag"),
    "length and chunks": OBJECT.replace(b"ETag", b"Transfer-Encoding: chunked\r\nETag"),
    "chunks and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + OBJECT[17:],
    "another coding": OBJECT.replace(b"Content-Length: 10", b"Transfer-Encoding: gzip, chunked"),
    "chunked twice": OBJECT.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked, chunked"),
    "a negative length": with_length(b"-1"),
    "a signed length": with_length(b"+10"),
    "a list of lengths": with_length(b"10, 10"),
    "a hexadecimal length": with_length(b"0xa"),
    "a length beyond all numbers": with_length(b"9" * 30),
    "no length": OBJECT.replace(b"Content-Length: 10\r\n", b""),
    "two ETags": OBJECT.replace(b"ETag", b'etag: "f"\r\nETag'),
    "two ETags of one spelling": OBJECT.replace(b"ETag", b'ETag: "f"\r\nETag'),
    "two checksums": OBJECT.replace(b"ETag", b"x-amz-checksum-crc32: a\r\nX-Amz-Checksum-Crc32: b\r\nETag"),
    "two ranges": OBJECT.replace(b"ETag", b"Content-Range: a\r\nContent-Range: b\r\nETag"),
    "a folded header": OBJECT.replace(b"ETag", b"X: a\r\n b\r\nETag"),
    "a space before the colon": OBJECT.replace(b"ETag:", b"ETag :"),
    "a header without a colon": OBJECT.replace(b"ETag", b"nonsense\r\nETag"),
    "NUL in a header": OBJECT.replace(b"ETag", b"X: a\0b\r\nETag"),
    "bare line feeds": OBJECT.replace(b"\r\n", b"\n"),
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
    "a switch of protocols": b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "another version": OBJECT.replace(b"HTTP/1.1", b"HTTP/3.7"),
    "a chunk size that is none": CHUNKED + b"zz\r\nthe object\r\n0\r\n\r\n",
    "a chunk size beyond all numbers": CHUNKED + b"f" * 30 + b"\r\nx\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"3\r\nthe object\r\n0\r\n\r\n",
    "chunk extensions without end": CHUNKED + b"3;" + b"x" * 200_000,
    "trailers without end": CHUNKED + b"3\r\nthe\r\n0\r\n" + b"X: y\r\n" * 40_000,
    "nothing at all": answer("204 No Content"),
}


# libcurl reads these in the one way in which they can be read; the bytes are still counted and verified.
READABLE = {
    "the same length twice",
    "no length",
    "a folded header",
    "a space before the colon",
    "chunked twice",
    "a list of lengths",
    "a length beyond all numbers",
    "another version",
    "chunk extensions without end",
    "bare line feeds",
}
FAULTS = {FaultKind.PROTOCOL, FaultKind.BROKEN, FaultKind.CONNECT, FaultKind.STALL}


@pytest.mark.parametrize("case", UNSOUND)
async def test_an_invalid_response_is_refused_and_the_next_one_is_read_from_its_start(case):
    answers = [UNSOUND[case], OBJECT]
    async with (
        canned(lambda _: answers.pop(0) if len(answers) > 1 else OBJECT) as server,
        curl_on(f"http://127.0.0.1:{server.port}") as store,
    ):
        came: bytes | FaultKind
        try:
            came = await read(store, "k")
        except StoreError as error:
            came = error.fault.kind
        assert came in FAULTS or (case in READABLE and came == BODY)
        assert await read(store, "k") == BODY


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        OBJECT[:-1],
        OBJECT[: -len(BODY)],
        with_length(b"3000000"),
        CHUNKED + b"a\r\nthe obj",
        CHUNKED + b"a\r\nthe object\r\n",
    ],
)
async def test_an_answer_that_ends_early_is_a_broken_one(sent):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()

    async with listening(serve) as port, curl_on(f"http://127.0.0.1:{port}") as store:
        assert (await fault_of(read(store, "k"))).kind in {FaultKind.BROKEN, FaultKind.PROTOCOL}


async def test_an_answer_to_a_head_has_no_body_whatever_length_it_announces():
    async with canned(lambda _: OBJECT) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        for _ in range(3):
            assert (await store.head(HeadRequest("k"))).length == len(BODY)
        assert await read(store, "k") == BODY
        assert server.connections == 1


async def test_a_head_that_is_answered_with_a_body_costs_the_connection():
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OBJECT)

    async with listening(serve) as port, curl_on(f"http://127.0.0.1:{port}") as store, asyncio.timeout(10):
        for _ in range(3):
            assert (await store.head(HeadRequest("k"))).length == len(BODY)
        assert len(connections) == 3


ERROR = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        (answer("403 Forbidden", ERROR), "AccessDenied", "no"),
        (answer("403 Forbidden"), "403", "Forbidden"),
        (answer("403 Forbidden", ERROR.replace(b"<Error>", b"<!DOCTYPE x><Error>")), "AccessDenied", "no"),
        (answer("403 Forbidden", ERROR.decode().encode("utf-16")), "403", "Forbidden"),
        (answer("403 Forbidden", ERROR.replace(b"no<", b"n" * 70_000 + b"<")), "403", "Forbidden"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403", "Forbidden"),
        (answer("499 x"), "499", ""),
    ],
)
async def test_an_error_document_is_read_as_far_as_it_is_valid(sent, code, message):
    async with canned(lambda _: sent) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        fault = await fault_of(read(store, "k"))
    assert (fault.kind, fault.status) == (FaultKind.HTTP, int(sent[9:12]))
    assert (fault.code, fault.message) == (code, message)


async def test_a_web_page_instead_of_an_error_is_not_from_the_service():
    page = answer("403 Forbidden", b"<html><title>Proxy</title>go away</html>")
    async with canned(lambda _: page) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        fault = await fault_of(read(store, "k"))
    assert (fault.kind, fault.status) == (FaultKind.INTERCEPTED, 403)


@pytest.mark.parametrize("etag", ['"a"\r\nx-evil: 1', '"\x00"', '"ü"'])
async def test_an_etag_that_is_no_header_is_never_sent(etag):
    async with canned(lambda _: OBJECT) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        assert (await fault_of(read(store, "k", if_match=etag))).kind is FaultKind.PROTOCOL
        assert await read(store, "k", if_match='"e"') == BODY
        assert len(server.requests) == 1


async def test_a_key_or_prefix_that_is_no_text_is_never_sent():
    async with canned(lambda _: OBJECT) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        assert (await fault_of(read(store, "\udcff"))).kind is FaultKind.PROTOCOL
        assert (await fault_of(store.list_page("\udcff"))).kind is FaultKind.PROTOCOL
        assert server.requests == []


async def test_a_handle_that_is_idle_keeps_nothing_of_its_last_object():
    class Receiver:
        def take(self, chunk): ...

    receiver = Receiver()
    gone = weakref.ref(receiver)
    async with canned(lambda _: OBJECT) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        await store.load(GetRequest("k"), lambda _, take=receiver.take: take)
        del receiver
        gc.collect()
        assert gone() is None


@pytest.mark.parametrize("zone", ["+9999", "-99999999999999"])
async def test_a_date_in_no_zone_of_this_world_is_no_date(zone):
    odd = OBJECT.replace(b"GMT", zone.encode())
    async with canned(lambda _: odd) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        assert (await store.head(HeadRequest("k"))).last_modified is None
        assert await read(store, "k") == BODY
