"""Response headers that keep a browser from making more of a response than data, or showing it inside another page.

They stand on every response of every listener, also on those that uvicorn or the limits make. A response that has a
policy of its own, such as the page, keeps it.
"""

from starlette.types import Message, Send

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""No scripts, no requests, no frames, no forms."""

PAGE_POLICY = (
    f"{_NOTHING}; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""For the page: files of this server only, nothing inline, and no text that becomes markup."""

SAFE_HEADERS = (
    (b"content-security-policy", _NOTHING.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def with_safe_headers(send: Send) -> Send:
    """An ASGI `send` that adds those of `SAFE_HEADERS` which a response does not have."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            message["headers"] = headers + [pair for pair in SAFE_HEADERS if pair[0] not in present]
        await send(message)

    return add
