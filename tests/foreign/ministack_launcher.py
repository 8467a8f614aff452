"""Runs ministack, inside its own environment, with two switches for the end of sessions. No test imports it.

ministack as published does the rest. Changed, and nothing else: it does not open port 443 beside its own;
`/_launcher/sessions/N` makes it read every DurationSeconds as N (0: as sent); `/_launcher/expire` ends
every session now; and it does not forget ended sessions (published, it drops them at the next AssumeRole,
so that the same token is refused as ExpiredToken before and as InvalidAccessKeyId after).
"""

import time

import ministack.app as gateway
from ministack.services import sts

PREFIX = "/_launcher/"
published_app = gateway.app
published_parameter = sts._p
session_seconds = 0


def parameter(params, name, *default):
    if name == "DurationSeconds" and session_seconds:
        return str(session_seconds)
    return published_parameter(params, name, *default)


def switch(command):
    global session_seconds  # noqa: PLW0603 - the one switch of a process that does one thing
    name, _, value = command.partition("/")
    if name == "sessions":
        session_seconds = int(value)
    elif name == "expire":
        for session in sts._sessions.values():
            session["Expiration"] = min(session["Expiration"], time.time() - 1)


async def app(scope, receive, send):
    if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
        await published_app(scope, receive, send)
        return
    switch(scope["path"].removeprefix(PREFIX))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    gateway.app = app
    gateway._port_is_bindable = lambda *_: False
    sts._p = parameter
    sts._evict_expired_sessions = lambda: None
    gateway.main()
