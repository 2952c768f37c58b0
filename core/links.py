"""Reads an address that a client wrote, strictly: where it leads must not be a matter of opinion."""

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, urljoin, urlsplit

PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 4096
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*\.?", re.ASCII)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


class BrokenLink(ValueError):
    """The text is no link that can be followed; the message says why, without the text itself."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where to ask, and for what: `target` is the path with the query."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The link, written anew."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def is_address(self) -> bool:
        """True when the host is no name."""
        return ":" in self.host or _NUMBER.fullmatch(self.host.rpartition(".")[2]) is not None


def read_link(text: str) -> Link:
    """The link in `text`. Raises BrokenLink."""
    if len(text) > MAX_LENGTH:
        raise BrokenLink(f"it is longer than {MAX_LENGTH} characters")
    if _CONTROL.search(text):
        raise BrokenLink("it holds a blank, a backslash or a control character")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BrokenLink("it is no URL") from None
    if parts.scheme not in PORTS:
        raise BrokenLink("it is neither http nor https")
    if "@" in parts.netloc:
        raise BrokenLink("it holds a user's name or a password")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    return Link(parts.scheme, _host(host), PORTS[parts.scheme] if port is None else port, path + query)


def redirected(link: Link, location: str) -> Link:
    """Where an answer to `link` sends on. Raises BrokenLink."""
    if _CONTROL.search(location):
        raise BrokenLink("it is redirected to something that is no URL")
    try:
        return read_link(urljoin(link.url, location))
    except BrokenLink:
        raise
    except ValueError:
        raise BrokenLink("it is no URL") from None


def _host(host: str) -> str:
    """The host in the one spelling there is. An address has to be written as it usually is."""
    if ":" in host:
        try:
            return IPv6Address(host).compressed if "%" not in host else _refuse()
        except ValueError:
            return _refuse()
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return _refuse()
    if len(name) > 253 or not _NAME.fullmatch(name):
        return _refuse()
    name = name.removesuffix(".")
    # What ends in a number is an address to some programs, in decimal, octal or hexadecimal: 0177.1 is 127.0.0.1.
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        try:
            return str(ip_address(name))
        except ValueError:
            return _refuse()
    return name


def _refuse() -> str:
    raise BrokenLink("it has no host that can be looked up")
