"""Names of Services as users write them."""

from steerway.errors import TranslateError

_SCHEME = "xds:///"


def service_id(text: str) -> tuple[str, str]:
    """Namespace ("": not given) and name of `backend`, `shop/backend`, `backend.shop`, `backend.shop.svc…`, a target
    with port and scheme, and `service/shop/backend`, as `-o name` prints it. Raises TranslateError."""
    shown = text.removeprefix("service/").removeprefix(_SCHEME)
    host, _, _ = shown.partition(":")
    if "/" in host:
        namespace, _, name = host.partition("/")
    else:
        name, _, rest = host.partition(".")
        namespace = rest.partition(".")[0]
    if not name or "/" in name:
        raise TranslateError(
            f"{text!r} is not the name of a Service: write NAME, NAMESPACE/NAME or NAME.NAMESPACE"
        )
    return namespace, name
