"""A store that limits and retries every request, and renews credentials when S3 refuses them.

The engine has no other access to S3. `core.retry` decides what to do about a failure; here it is done: wait, slow
everybody down, renew the credentials, or give up with a reason. Only the thread for small objects makes first attempts
of its own, within the same limits; what fails there is retried here.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from s3haul.core.retry import Action, Move, RetryState, decide, of_kms
from s3haul.diagnose.reasons import listing_of, reading_of, run_error, versions_of
from s3haul.errors import Fault, S3HaulError, StoreError
from s3haul.events import Retrying
from s3haul.models import ListPage, ObjectMeta, PartLayout, VersionPage
from s3haul.store.attempts import Attempts, RenewableCredentials, RetrySettings
from s3haul.store.protocol import Consume, GetRequest, ObjectStore, Refusal, SmallObjects, SmallObjectWork

T = TypeVar("T")
# Refusals of a HEAD, whose response has no body that would name the reason.
_UNEXPLAINED = frozenset({400, 403})
_EMPTY_OBJECT = 416  # the status of a GET of the first byte of an empty object


class GaveUpError(Exception):
    """No further attempt makes sense; `action` says skip, fail or refresh, and why."""

    def __init__(self, action: Action, fault: Fault, attempts: int) -> None:
        super().__init__(f"{action.reason}: {fault.message}")
        self.action = action
        self.fault = fault
        self.attempts = attempts


class RetryingStore:
    """As `ObjectStore`. A method raises `GaveUpError`, or the `S3HaulError` that ends the run."""

    def __init__(self, store: ObjectStore, settings: RetrySettings) -> None:
        self._store = store
        self._settings = settings
        self.listing = listing_of(settings.url)
        self.reading = reading_of(settings.url)

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        """One page of the listing. Raises only what ends the run: no listing can do without one of its pages."""
        try:
            page, _ = await self._retry(
                "", lambda: self._store.list_page(prefix, token=token, start_after=start_after)
            )
        except GaveUpError as gave_up:
            raise run_error(gave_up.fault, self.listing) from None
        return page

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        """One page of the listing of all versions. Raises only what ends the run."""
        try:
            page, _ = await self._retry("", lambda: self._store.list_versions(prefix, marker=marker))
        except GaveUpError as gave_up:
            raise run_error(gave_up.fault, versions_of(self._settings.url)) from None
        return page

    async def load(
        self,
        request: GetRequest,
        consume: Consume,
        *,
        complete: Callable[[], None] = lambda: None,
        progressed: Callable[[], bool] = lambda: False,
        refused: Refusal | None = None,
    ) -> int:
        """Read a body; returns how many attempts it took.

        Each attempt calls `consume` anew, in a thread, and `complete` once the body has ended. A `StoreError` that
        they raise fails the attempt; any other exception passes through. Where a body fails and `progressed` says
        that some of it need not be asked for again, that is no failure: the caller asks for the rest. `refused` is how a
        first attempt ended that was made elsewhere.
        """

        async def attempt() -> None:
            try:
                await self._store.load(request, consume)
                complete()
            except StoreError as error:
                if not progressed():
                    raise
                reason = decide(error.fault, RetryState(1), self._settings.limits, 0.0).reason
                self._settings.emit(Retrying(request.key, reason, error.fault.message, 1, 0.0))

        _, attempts = await self._retry(request.key, attempt, refused)
        return attempts

    async def head(
        self,
        key: str,
        *,
        checksums: bool = False,
        part_number: int | None = None,
        version_id: str | None = None,
        validate: Callable[[ObjectMeta], None] = lambda _meta: None,
    ) -> ObjectMeta:
        """The headers of an object or of a part of it. `validate` may raise `StoreError` to fail an attempt."""

        async def attempt() -> ObjectMeta:
            head = partial(
                self._store.head,
                key,
                checksums=checksums,
                part_number=part_number,
                version_id=version_id,
            )
            try:
                meta = await head()
            except StoreError as error:
                if error.fault.status not in _UNEXPLAINED:
                    raise
                await self._read_byte(key, version_id)  # raises the reason, if there still is one
                meta = await head()
            validate(meta)
            return meta

        meta, _ = await self._retry(key, attempt)
        return meta

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        """The stored parts, or None where S3 keeps none or the right is missing."""
        layout, _ = await self._retry(key, lambda: self._store.part_layout(key, version_id=version_id))
        return layout

    async def read_byte(self, key: str) -> None:
        """Return if the object can be read; its content is ignored."""
        await self._retry(key, lambda: self._read_byte(key))

    def throttled(self, refused: Refusal) -> None:
        """A first attempt that was made elsewhere was refused for its rate just now, and `load` will retry it, perhaps
        much later: tell the limiter at once. KMS has limits of its own, which `load` tells."""
        if not of_kms(refused.fault):
            self._settings.limiter.throttled(refused.fault.retry_after, sent=refused.sent)

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        """The thread for small objects. It does not retry: its work hands back what fails."""
        return self._store.small_objects(work)

    async def _read_byte(self, key: str, version_id: str | None = None) -> None:
        request = GetRequest(key, version_id=version_id, byte_range=(0, 0))
        try:
            await self._store.load(request, lambda _meta: lambda _chunk: None)
        except StoreError as error:
            if error.fault.status != _EMPTY_OBJECT:
                raise

    async def _retry(
        self, key: str, once: Callable[[], Awaitable[T]], refused: Refusal | None = None
    ) -> tuple[T, int]:
        """The result of `once` and how many attempts it took, with the one that was `refused`. `key` is "" for the
        listing."""
        attempts = Attempts(self._settings, key, self._try_readable_object, refused)
        credentials, limiter = self._settings.credentials, self._settings.limiter
        fault, signing_key = (None, "") if refused is None else (refused.fault, refused.access_key)
        try:
            while True:
                if fault is None:
                    signing_key = credentials.access_key_id if credentials else ""
                    try:
                        async with attempts.turn():
                            return await once(), attempts.count
                    except StoreError as error:
                        fault = error.fault
                action = await attempts.failed(fault)
                match action.move:
                    case Move.RETRY | Move.WAIT:
                        await attempts.wait(action, fault)
                    case Move.RENEW if credentials and (limiter.health.accepted or credentials.trusted):
                        self._settings.emit(Retrying(key, action.reason, fault.message, attempts.count, 0.0))
                        await self._renew(credentials, signing_key, fault)
                        attempts.renewed()
                    case Move.RENEW | Move.ABORT:
                        purpose = self.reading if key else self.listing
                        raise run_error(fault, purpose, waited=attempts.waited) from None
                    case Move.REFRESH | Move.SKIP | Move.FAIL:
                        raise GaveUpError(action, fault, attempts.count)
                fault = None
        finally:
            attempts.end()

    async def _renew(self, credentials: RenewableCredentials, signing_key: str, fault: Fault) -> None:
        health = self._settings.limiter.health
        in_vain = health.renewed == health.accepted
        health.renewed = health.accepted
        try:
            await credentials.renew(signing_key, in_vain=in_vain)
        except S3HaulError as error:
            error.said = error.said or f"{fault.code}: {fault.message}"
            raise

    async def _try_readable_object(self, key: str) -> None:
        """Nothing succeeded since the last failure of `key`: read a byte of an object that could be read before.

        If only one object is left, this tells a failure of that object from an outage.
        """
        limiter = self._settings.limiter
        good = limiter.health.good
        if good in {"", key}:
            return
        await limiter.acquire()
        try:
            await self._read_byte(good)
        except StoreError:
            limiter.failed()
        else:
            limiter.succeeded()
        finally:
            limiter.release()
