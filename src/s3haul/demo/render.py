"""XML of S3 and STS: documents, errors, escaping. Strings in, Answer out; no decision is made here."""

import re
import time
import uuid
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

from s3haul.demo.content import Literal
from s3haul.demo.errors import CloudError
from s3haul.demo.messages import Answer

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL = re.compile('[&<>"\x00-\x1f\x7f-\x9f\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}

Tree = Mapping[str, "str | Tree | list[Tree]"]


def escape(text: str) -> str:
    """As S3 does it: control characters become references, some of which XML 1.0 cannot carry."""
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0], f"&#x{ord(found[0]):x};"), text)


def url_encoded(text: str) -> str:
    """The key encoding of encoding-type=url: "/" stays, a space is "+"."""
    return quote_plus(text, safe="/*")


def iso_time(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))


def element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def tree(branches: Tree) -> str:
    """Nested elements; a list repeats its element."""
    return "".join(_branch(name, value) for name, value in branches.items())


def _branch(name: str, value: "str | Tree | list[Tree]") -> str:
    if isinstance(value, str):
        return element(name, value)
    if isinstance(value, list):
        return "".join(f"<{name}>{tree(item)}</{name}>" for item in value)
    return f"<{name}>{tree(value)}</{name}>"


def xml_answer(text: str, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    body = Literal((_PROLOG + text).encode("utf-8", "surrogatepass"))
    return Answer(status, [("Content-Type", "application/xml"), *headers], body)


def s3_document(root: str, branches: Tree) -> Answer:
    return s3_body(root, tree(branches))


def s3_body(root: str, elements: str) -> Answer:
    """A document whose elements were written already: their order matters."""
    return xml_answer(f'<{root} xmlns="{S3_NAMESPACE}">{elements}</{root}>')


def sts_document(action: str, result: Tree, *, namespace: str = _STS_NAMESPACE) -> Answer:
    body = tree({f"{action}Result": result, "ResponseMetadata": {"RequestId": str(uuid.uuid4())}})
    root = f"{action}Response"
    return _sts_answer(f'<{root} xmlns="{namespace}">{body}</{root}>', 200)


def s3_error(error: CloudError) -> Answer:
    branches = {
        "Code": error.code,
        "Message": error.message,
        **error.detail,
        "RequestId": uuid.uuid4().hex[:16].upper(),
        "HostId": uuid.uuid4().hex,
    }
    return xml_answer(f"<Error>{tree(branches)}</Error>", error.status, error.headers.items())


def sts_error(error: CloudError) -> Answer:
    body = tree(
        {
            "Error": {
                "Type": "Sender" if error.status < 500 else "Receiver",
                "Code": error.code,
                "Message": error.message,
            },
            "RequestId": str(uuid.uuid4()),
        }
    )
    answer = _sts_answer(f'<ErrorResponse xmlns="{_STS_NAMESPACE}">{body}</ErrorResponse>', error.status)
    answer.headers.extend(error.headers.items())
    return answer


def _sts_answer(text: str, status: int) -> Answer:
    return Answer(status, [("Content-Type", "text/xml")], Literal((text + "\n").encode()))
