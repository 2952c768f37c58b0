"""The key that a gateway makes for its owner when nobody has one."""

from ipaddress import ip_address
from uuid import uuid4

from config.settings import Settings
from core.errors import StoreUnavailable
from core.store.base import Counters
from schemas.key import NewKey
from services.key_book import KeyBook

NAME = "owner"
STARTING_SECONDS = 60.0


def first_key(settings: Settings, book: KeyBook, counters: Counters, now: float) -> str | None:
    """The secret of a new admin key, made once; None when others cannot reach the gateway or somebody has a key.

    While the store cannot be reached none is made, as there may be keys in it.
    """
    if _is_loopback(settings.server.host) or settings.access.keys or settings.access.jwt.enabled:
        return None
    try:
        # Replicas may start in the same moment.
        if book.all() or not counters.claim("first-key", uuid4().hex, 1, STARTING_SECONDS, now):
            return None
        return book.create(NewKey(name=NAME, role="admin"), by="the gateway itself", bootstrap=True)[1]
    except StoreUnavailable:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
