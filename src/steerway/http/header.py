"""Response headers that keep a browser from making more of a response than data, or showing it inside another page.

They stand on every response of every listener, also on those that uvicorn or the limits make. A response that has a
policy of its own, such as a page with a style, keeps it.
"""

import base64
import hashlib

from starlette.types import Message, Send


def content_security_policy(style: str | None = None) -> str:
    """No scripts, no requests, no frames, no forms; `style` is the text of the one `<style>` element that may count."""
    styles = ""
    if style is not None:
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        styles = f"style-src 'sha256-{digest}'; "
    return f"default-src 'none'; {styles}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


SAFE_HEADERS = (
    (b"content-security-policy", content_security_policy().encode()),
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
