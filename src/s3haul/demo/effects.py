"""What each fault does to one call: to its request, its page, its answer, its delivery.
Pure but for `prepare`."""

from dataclasses import dataclass, field, replace
from typing import Any

from s3haul.demo.cloud import Cloud
from s3haul.demo.content import EMPTY, Flipped, Generated, Joined, Slice
from s3haul.demo.errors import CloudError
from s3haul.demo.faults import FaultRule
from s3haul.demo.messages import Answer, Headers, Request
from s3haul.demo.s3_list import Page, encoded_token

_LENGTH = "content-length"


@dataclass(slots=True)
class Delivery:
    """How an answer goes out. `ending` happens after `limit` body bytes (None: at the end of the body)."""

    delay: float = 0.0
    ending: str = ""  # "", close (before headers), reset, short, stall
    limit: int | None = None
    rate: float | None = None
    content_lengths: int = 1  # how often the header is sent


@dataclass(slots=True)
class Disturbance:
    """The faults of one call, by where they act."""

    rules: list[FaultRule] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(rule.effect for rule in self.rules)

    def prepare(self, cloud: Cloud, request: Request) -> None:
        """Act on the cloud and the request. Raises CloudError where the fault is the answer."""
        for rule in self.rules:
            if rule.effect == "change":
                cloud.change(request.bucket, request.key)
            elif rule.effect == "delete":
                cloud.mark_deleted(request.bucket, request.key)
            elif rule.effect == "expire-sessions":
                cloud.expire_sessions()
            elif rule.effect == "error":
                given = rule.parameters
                raise CloudError(given["status"], given["code"], given["message"], headers=given["headers"])
            elif rule.effect == "redirect":
                raise _redirect(rule.parameters)

    @property
    def ignores_range(self) -> bool:
        return any(rule.effect == "ignore-range" for rule in self.rules)

    def page(self, page: Page, asked: str) -> Page:
        """A disturbed page of the listing. `asked` is the token that the client sent, "" for none."""
        for rule in self.rules:
            change = _PAGE.get(rule.effect)
            if change is not None:
                page = change(page, asked)
        return page

    def answer(self, answer: Answer) -> Answer:
        for rule in self.rules:
            change = _ANSWER.get(rule.effect)
            if change is not None:
                answer = change(answer, rule.parameters)
        return answer

    def delivery(self) -> Delivery:
        delivery = Delivery()
        for rule in self.rules:
            given = rule.parameters
            if rule.effect == "delay":
                delivery.delay += given["seconds"]
            elif rule.effect == "trickle":
                delivery.rate = given["rate"]
            elif rule.effect in ("close", "reset", "short", "stall"):
                delivery.ending, delivery.limit = rule.effect, given.get("after", 0)
            elif rule.effect == "no-content-length":
                delivery.content_lengths = 0
            elif rule.effect == "duplicate-content-length":
                delivery.content_lengths = 2
        return delivery


def _redirect(given: dict[str, Any]) -> CloudError:
    headers = {}
    if given["location"]:
        headers["Location"] = given["location"]
    if given["region"]:
        headers["x-amz-bucket-region"] = given["region"]
    code = "PermanentRedirect" if given["status"] == 301 else "TemporaryRedirect"
    message = "Please re-send this request to the specified temporary endpoint."
    return CloudError(given["status"], code, message, headers=headers)


def _wrong_checksum(answer: Answer, _given: dict[str, Any]) -> Answer:
    def wrong(name: str, value: str) -> str:
        if not name.lower().startswith("x-amz-checksum-") or name.lower() == "x-amz-checksum-type":
            return value
        return ("B" if value[0] == "A" else "A") + value[1:]

    answer.headers = [(name, wrong(name, value)) for name, value in answer.headers]
    return answer


def _no_checksum(answer: Answer, _given: dict[str, Any]) -> Answer:
    answer.headers = [pair for pair in answer.headers if not pair[0].lower().startswith("x-amz-checksum-")]
    return answer


def _wrong_etag(answer: Answer, _given: dict[str, Any]) -> Answer:
    answer.headers = _with(answer.headers, "ETag", '"00000000000000000000000000000000"')
    return answer


def _flip(answer: Answer, given: dict[str, Any]) -> Answer:
    return replace(answer, body=Flipped(answer.body, given["offset"]))


def _extra(answer: Answer, given: dict[str, Any]) -> Answer:
    return replace(answer, body=Joined(answer.body, Generated(0, given["count"])))


def _shorten(answer: Answer, given: dict[str, Any]) -> Answer:
    return replace(answer, body=Slice(answer.body, 0, max(0, answer.body.size - given["count"])))


def _empty_200(answer: Answer, _given: dict[str, Any]) -> Answer:
    return replace(answer, status=200, body=EMPTY, length=None)


def _bare_204(_answer: Answer, _given: dict[str, Any]) -> Answer:
    return Answer(204)


def _wrong_content_range(answer: Answer, _given: dict[str, Any]) -> Answer:
    """The range moved by one byte, its length and the total unchanged."""
    headers: Headers = []
    for name, value in answer.headers:
        if name == "Content-Range":
            bounds, _, total = value.removeprefix("bytes ").partition("/")
            first, _, last = bounds.partition("-")
            moved = f"bytes {int(first) + 1}-{int(last) + 1}/{total}"
            headers.append((name, moved))
        else:
            headers.append((name, value))
    return replace(answer, headers=headers)


def _truncated_xml(answer: Answer, _given: dict[str, Any]) -> Answer:
    return replace(answer, body=Slice(answer.body, 0, answer.body.size * 2 // 3))


def _without_token(page: Page, _asked: str) -> Page:
    last = page.prefixes[-1:] or [stored.key for stored in page.entries[-1:]]
    return replace(page, resume=page.resume or (last[0] if last else ""), token=None)


def _repeated_token(page: Page, asked: str) -> Page:
    return replace(page, token=asked, resume=page.resume or "") if asked else page


def _wrong_key_count(page: Page, _asked: str) -> Page:
    return replace(page, key_count=page.key_count + 1)


def _out_of_order(page: Page, _asked: str) -> Page:
    return replace(page, entries=page.entries[::-1])


def _duplicate_key(page: Page, _asked: str) -> Page:
    entries = page.entries[:1] + page.entries
    return replace(page, entries=entries, key_count=page.key_count + len(entries) - len(page.entries))


def _duplicate_across_pages(page: Page, _asked: str) -> Page:
    """The next page begins with this one's last key: the token points before it."""
    if page.resume is None or len(page.entries) < 2:
        return page
    before = page.entries[-2].key
    return replace(page, resume=before, token=encoded_token(before))


def _with(headers: Headers, name: str, value: str) -> Headers:
    return [pair for pair in headers if pair[0].lower() != name.lower()] + [(name, value)]


_ANSWER = {
    "wrong-checksum": _wrong_checksum,
    "no-checksum": _no_checksum,
    "wrong-etag": _wrong_etag,
    "flip": _flip,
    "extra": _extra,
    "shorten": _shorten,
    "empty-200": _empty_200,
    "bare-204": _bare_204,
    "wrong-content-range": _wrong_content_range,
    "truncated-xml": _truncated_xml,
}
_PAGE = {
    "truncated-without-token": _without_token,
    "repeated-token": _repeated_token,
    "wrong-key-count": _wrong_key_count,
    "out-of-order": _out_of_order,
    "duplicate-key": _duplicate_key,
    "duplicate-key-across-pages": _duplicate_across_pages,
}
