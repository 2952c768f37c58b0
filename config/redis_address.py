"""Reads the address of a redis: one server, sentinels that know the master, or nodes of a cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

Host = tuple[str, int]
Kind = Literal["one", "sentinel", "cluster"]
Option = str | bool

FORMS = (
    "redis://host:6379/0, rediss:// for TLS, unix:///path, redis+sentinel://host:26379,host:26379/master-name/0 "
    "or redis+cluster://host:6379,host:6379"
)
SCHEMES: Mapping[str, tuple[Kind, int]] = {
    "redis": ("one", 6379),
    "unix": ("one", 0),
    "redis+sentinel": ("sentinel", 26379),
    "redis+cluster": ("cluster", 6379),
}
"""What each scheme means, and its usual port. With `rediss` in the place of `redis` all connections are encrypted."""


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return read


def _truth(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


TLS_OPTIONS: Mapping[str, Callable[[str], Option]] = {
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_cert_reqs": _one_of("required", "optional", "none"),
    "ssl_check_hostname": _truth,
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where redis is. `hosts` are to be asked in turn, and are sentinels where `service` names the master they watch.

    `username` and `password` are for the servers that hold data, `options` for TLS.
    """

    kind: Kind
    hosts: tuple[Host, ...] = ()
    path: str | None = None
    service: str = ""
    db: int = 0
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, Option] = field(default_factory=dict)


def read_address(url: str) -> RedisAddress:
    """What `url` says. Raises ValueError that says what is wrong and which forms there are, and nothing of the URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong("it cannot be read") from None
    kind, usual = SCHEMES.get(parts.scheme.replace("rediss", "redis", 1), (None, 0))
    if kind is None:
        raise _wrong("its scheme is none of these")
    user, _, hosts = parts.netloc.rpartition("@")
    username, _, password = (unquote(part) or None for part in user.partition(":"))
    options, db = _options(parts)
    base = RedisAddress(kind, username=username, password=password, options=options)
    base = replace(base, tls=parts.scheme.startswith("rediss"))
    if options and not base.tls:
        raise _wrong("options that begin with ssl_ need rediss")
    if parts.scheme == "unix":
        if not parts.path:
            raise _wrong("the path of the socket is missing")
        return replace(base, path=unquote(parts.path), db=_number(db))
    return _placed(base, _hosts(hosts, usual), [unquote(part) for part in parts.path.split("/")[1:] if part], db)


def _placed(base: RedisAddress, hosts: tuple[Host, ...], path: list[str], db: str) -> RedisAddress:
    """With the hosts, and with what the path says: first the master's name for sentinels, then the database."""
    service = path.pop(0) if base.kind == "sentinel" and path else ""
    if base.kind == "sentinel" and not service:
        raise _wrong("the name of the master that the sentinels watch is missing")
    if len(path) > 1:
        raise _wrong("there is too much behind the hosts")
    number = _number(db or (path[0] if path else ""))
    if base.kind == "cluster" and number:
        raise _wrong("a cluster has the database 0 only")
    if base.kind == "one" and len(hosts) > 1:
        raise _wrong("several hosts need redis+sentinel or redis+cluster")
    return replace(base, hosts=hosts, service=service, db=number)


def _options(parts: SplitResult) -> tuple[dict[str, Option], str]:
    options: dict[str, Option] = {}
    db = ""
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "db":
            db = value
        elif name not in TLS_OPTIONS:
            raise _wrong(f"its options may be db, {', '.join(TLS_OPTIONS)}")
        else:
            try:
                options[name] = TLS_OPTIONS[name](value)
            except (ValueError, KeyError):
                raise _wrong(f"the value of {name} is not allowed") from None
    return options, db


def _hosts(text: str, usual: int) -> tuple[Host, ...]:
    return tuple(_host(one.strip(), usual) for one in text.split(","))


def _host(text: str, usual: int) -> Host:
    try:
        parts = urlsplit(f"//{text}")
        name, port = parts.hostname, parts.port
    except ValueError:
        raise _wrong("a host or a port cannot be read") from None
    if not name or parts.path or port == 0:
        raise _wrong("a host is missing")
    return unquote(name), port or usual


def _number(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal()):
        raise _wrong("the database is no number")
    return int(text or "0")


def _wrong(what: str) -> ValueError:
    return ValueError(f"is no address of a redis, as {what}; write {FORMS}")
