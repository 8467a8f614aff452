"""Other ways to write a bucket, as in consoles, browsers, policies and other tools. Pure.

Converts a word to the arguments that s3haul accepts. Everything in a URL except bucket and key is dropped, because it
may be a signature or a password.
"""

import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_BARE = re.compile(rf"{_NAME}(?:/.*)?", re.DOTALL)
_ARN = re.compile(rf"arn:aws[a-z-]*:s3:::({_NAME}(?:/.*)?)", re.DOTALL)
_SCHEME = re.compile(r"s3[an]?:/*([^/].*)", re.IGNORECASE | re.DOTALL)
_REMOTE = re.compile(rf"\w[\w-]*:({_NAME}(?:/.*)?)", re.DOTALL)  # as in rclone
_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3[a-z0-9.-]*\.amazonaws\.com(?:\.cn)?")
_CONSOLE = re.compile(r"/s3/(?:buckets|object)/([^/]+)")


def meant(word: str) -> list[str]:
    """`s3://BUCKET[/KEY]`, with the flags that belong to it; empty if the word cannot be interpreted."""
    if re.match(r"https?://", word, re.IGNORECASE):
        return _of_web(urlsplit(word))
    for form in (_ARN, _SCHEME, _REMOTE):
        if found := form.fullmatch(word):
            return ["s3://" + found[1].removesuffix("*")]
    return ["s3://" + word] if _BARE.fullmatch(word) else []


def _of_web(url: SplitResult) -> list[str]:
    host, path = url.hostname or "", unquote(url.path)
    if "console." in host:
        bucket = _CONSOLE.fullmatch(path.rstrip("/"))
        prefix = parse_qs(url.query).get("prefix", [""])[0]
        return [f"s3://{bucket[1]}/{prefix}"] if bucket else []
    at_aws = _HOST.fullmatch(host)
    bucket_and_key = f"{at_aws['bucket']}{path}" if at_aws and at_aws["bucket"] else path.lstrip("/")
    if not bucket_and_key:
        return []
    place = url.netloc.rpartition("@")[2]
    endpoint = [] if at_aws else ["--endpoint-url", f"{url.scheme}://{place}"]
    return [f"s3://{bucket_and_key}", *endpoint]
