"""How the door stands at a start, and the key that a gateway makes for its owner when nobody has one."""

from dataclasses import dataclass
from ipaddress import ip_address

from config.settings import Settings
from core.errors import Conflict, StoreUnavailable
from schemas.key import NewKey
from services.key_book import KeyBook

NAME = "owner"


@dataclass(frozen=True, slots=True)
class Doors:
    """How the door stands at a start.

    `secret` is the owner's new key, to be shown this once; `owner` says that there is one, `made` how many active keys
    people have made, `shut` that they have made any at all. Nothing is `known` while the store is away.
    """

    secret: str | None = None
    owner: bool = False
    made: int = 0
    shut: bool = False
    known: bool = True


def open_doors(settings: Settings, book: KeyBook, now: float) -> Doors:
    """How the door stands, with a key for the owner of a gateway that others can reach and nobody has a key for."""
    if not book.is_known:
        # There may be keys, so none is made.
        return Doors(known=False)
    try:
        secret = None if settings.access.keys or settings.access.jwt.enabled else _owners(settings, book)
        keys = book.all()
    except StoreUnavailable:
        return Doors(known=False)
    active = [key for key in keys if key.status(now) == "active"]
    made = [key for key in active if not key.bootstrap]
    return Doors(secret, len(active) > len(made), len(made), any(not key.bootstrap for key in keys))


def _owners(settings: Settings, book: KeyBook) -> str | None:
    if _is_loopback(settings.server.host) or book.all():
        return None
    try:
        return book.create_owners(NewKey(name=NAME, role="admin"), by="the gateway itself")[1]
    except Conflict:
        # Another gateway on the same store has made it in this very moment.
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
