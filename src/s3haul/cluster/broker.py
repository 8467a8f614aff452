"""Sessions of the role for workers that cannot assume it: `--broker`, when only the driver has the source
credentials (a login with SSO, an MFA device).

The driver assumes the role for all workers. A worker connects, sends the access key of the session that it
wants to replace, and gets the current session, or a new one, as one line of JSON. Only sessions leave the
driver, never the source credentials. Nothing is written to RUN, and nothing passes through Ray.

On one machine the connection is a Unix socket in a directory that only this user can enter. Between machines
it is TLS with the certificates of the Ray cluster, which both sides must present.
"""

import asyncio
import json
import os
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from s3haul.aws.session import checked_settings
from s3haul.aws.sts import AskMfa, Assume, RoleChain, RoleSession
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import CredentialsError, S3HaulError, UsageError
from s3haul.events import Emit
from s3haul.options import AccessOptions
from s3haul.s3.endpoint import Credentials

UNREACHABLE = "S3H-NET-05"
GRACE = 5.0  # seconds to wait for the end of the thread: it may wait for an MFA code
_CERTIFICATES = ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")


@contextmanager
def brokering(access: AccessOptions, host: str, *, on_event: Emit, ask_mfa: AskMfa) -> Iterator[str]:
    """Serve sessions until the block ends; yields the address for workers. `host` is the address of this
    machine in its Ray cluster, or "" if all workers are on this machine.

    The first session is fetched at once. Raises what AssumeRole raises,
    and `UsageError` if there is no role, or no TLS.
    """
    settings = checked_settings(access)
    if not settings.roles:
        raise UsageError("--broker is for runs with a role, and this one has none.", hint="leave it out")
    context = _tls(ssl.Purpose.CLIENT_AUTH) if host else None
    broker = _Broker(RoleChain(settings, ask_mfa=ask_mfa, on_event=on_event))
    with _loop_in_thread() as result, tempfile.TemporaryDirectory(prefix="s3haul-") as private:
        result(broker.session(""))
        path = f"{private}/broker"
        server = result(
            asyncio.start_server(broker.serve, host, 0, ssl=context)
            if host
            else asyncio.start_unix_server(broker.serve, path)
        )
        try:
            yield f"{host}:{server.sockets[0].getsockname()[1]}" if host else path
        finally:
            server.get_loop().call_soon_threadsafe(server.close)


@contextmanager
def _loop_in_thread() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """A loop in a thread of its own, as a function that returns the result of a coroutine in it."""
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    loop = runner.get_loop()

    def run() -> None:
        with runner:  # which ends what is left
            loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(GRACE)


class _Broker:
    """Has one session, and replaces it when a worker requests a newer one."""

    def __init__(self, assume: Assume) -> None:
        self._assume = assume
        self._lock = asyncio.Lock()
        self._session: RoleSession | None = None

    async def session(self, stale: str) -> RoleSession:
        """A session with another access key than `stale`. Raises what AssumeRole raises:
        the worker tries again."""
        async with self._lock:
            now = self._session
            if now is None or now.keys.access_key == stale or now.expires_at <= time.time():
                now = self._session = await self._assume()
            return now

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one worker."""
        with suppress(OSError, ValueError), closing(writer):  # it was killed, or sent no line
            stale = (await reader.readline()).decode("ascii").strip()
            try:
                response = _encoded(await self.session(stale))
            except S3HaulError as error:
                response = {"error": error.message, "hint": error.hint, "id": error.id}
            writer.write(json.dumps(response).encode("ascii") + b"\n")
            await writer.drain()


def _encoded(session: RoleSession) -> dict[str, Any]:
    """The session; its end is relative, since the clocks of two machines differ."""
    keys = {
        "access_key": session.keys.access_key,
        "secret_key": session.keys.secret_key,
        "token": session.keys.token,
    }
    left = session.expires_at - time.time()
    return {"keys": keys, "arn": session.arn, "left": left, "duration": session.duration}


class BrokeredSessions:
    """An `Assume` of a worker: requests sessions from the broker at `address`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stale = ""

    async def __call__(self) -> RoleSession:
        try:
            response = await self._request()
        except (OSError, ValueError) as error:
            raise CredentialsError(
                "the driver of this run, which assumes the role for its workers, does not answer",
                hint="is it still running, and can this node connect to any port of its machine?",
                seen=str(error),
                id=UNREACHABLE,
            ) from None
        if "error" in response:
            raise DIAGNOSES[response["id"]].error(response["error"], hint=response["hint"], id=response["id"])
        expires_at = time.time() + response["left"]
        self._stale = response["keys"]["access_key"]
        return RoleSession(
            Credentials(**response["keys"], expires_at=expires_at),
            response["arn"],
            expires_at,
            response["duration"],
        )

    async def _request(self) -> dict[str, Any]:
        if Path(self._address).is_absolute():
            reader, writer = await asyncio.open_unix_connection(self._address)
        else:
            host, _, port = self._address.rpartition(":")
            context = _tls(ssl.Purpose.SERVER_AUTH)
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        with closing(writer):
            writer.write(self._stale.encode("ascii") + b"\n")
            response: dict[str, Any] = json.loads(await reader.readline())
            return response


def _tls(purpose: ssl.Purpose) -> ssl.SSLContext:
    """TLS as Ray has it: both sides present a certificate of the cluster's authority
    (https://docs.ray.io/en/latest/ray-core/configure.html#tls-authentication). Raises `UsageError` without
    it."""
    certificate, key, authority = (os.environ.get(name, "") for name in _CERTIFICATES)
    if os.environ.get("RAY_USE_TLS", "0").lower() not in {"1", "true"} or not all(
        (certificate, key, authority)
    ):
        raise UsageError(
            "--broker sends sessions of the role to other machines, and this Ray cluster does not encrypt.",
            hint=f"start Ray, and this command, with RAY_USE_TLS=1 and {', '.join(_CERTIFICATES)}; or let the role's"
            " trust policy name the role of the workers' machines, and leave --broker out",
        )
    try:
        context = ssl.create_default_context(purpose, cafile=authority)
        context.load_cert_chain(certificate, key)
    except OSError as error:
        hint = f"{', '.join(_CERTIFICATES)} are PEM files that this user can read"
        raise UsageError("The certificates of Ray cannot be used.", hint=hint, seen=str(error)) from None
    context.verify_mode = ssl.CERT_REQUIRED
    return context
