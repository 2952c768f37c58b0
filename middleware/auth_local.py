"""Whether a request is this machine's own, which an open gateway lets in without a key."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Request

FORWARDING = (
    "Forwarded",
    "Via",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
)
"""What proxies add, beside all that begins with `X-Forwarded`."""


def is_local(request: Request) -> bool:
    """True when the peer is this machine, speaks for nobody else, and is not led here by a web page.

    A page may send requests to this machine, and by a name of its own that leads here it may read the answers too.
    """
    return (
        _is_loopback(request.environ.get("REMOTE_ADDR") or "127.0.0.1")
        and not _is_forwarded(request)
        and _is_own_name(request.environ.get("HTTP_HOST"))
        and _is_no_page(request)
    )


def _is_forwarded(request: Request) -> bool:
    named = any(name.startswith("HTTP_X_FORWARDED") for name in request.environ)
    return named or any(name in request.headers for name in FORWARDING)


def _is_own_name(host: str | None) -> bool:
    """False for names that somebody on the internet can give to this machine; those have a dot."""
    if not host:
        return True
    name = _host_in(f"//{host}")
    return name is not None and (_is_address(name) or "." not in name or name.endswith(".localhost"))


def _is_no_page(request: Request) -> bool:
    """False for what a browser sends on behalf of a page that is not this machine's own."""
    origin = request.headers.get("Origin")
    if origin is None:
        # A link that somebody follows is their own wish; what a page fetches for itself is not.
        followed = request.method in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Dest") == "document"
        return followed or request.headers.get("Sec-Fetch-Site") != "cross-site"
    name = _host_in(origin) or ""
    is_web = origin.startswith(("http://", "https://"))
    return is_web and (name == "localhost" or name.endswith(".localhost") or _is_loopback(name))


def _host_in(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
