"""AdminGuard: the key of an admin goes only while another one is left, whoever asks at the same moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from secrets import token_hex

from core.clock import Clock
from core.errors import Conflict, StoreUnavailable
from core.store.base import Counters
from schemas.caller import Caller
from schemas.key import StoredKey
from services.access import AccessService
from services.key_book import KeyBook

LOCK = "admins_keys"
LOCK_SECONDS = 30.0
"""Far more than the two or three commands take of which each is bounded."""


class AdminGuard:
    """One at a time, over all workers, looks whether an admin would be left and takes a key away.

    Keys of the configuration are always left, and whoever comes with a token or through the open door will come again:
    only callers with a made key can shut themselves out.
    """

    def __init__(
        self, access: AccessService, book: KeyBook, counters: Counters, clock: Clock, is_away: Callable[[], bool]
    ) -> None:
        """`is_away` says whether the store cannot be reached."""
        self._access = access
        self._book = book
        self._counters = counters
        self._clock = clock
        self._is_away = is_away

    @contextmanager
    def keeping_one(self, caller: Caller | None, key_id: str, ends_in: float = 0.0) -> Iterator[None]:
        """Inside of this the caller may revoke or lower that key, or let it end in so many seconds.

        Raises Conflict when nobody would be left with the key of an admin, or another one is being taken away; NotFound
        and StoreUnavailable.
        """
        if not self._is_at_stake(caller, key_id):
            yield
            return
        owner = token_hex(8)
        if not self._counters.lock(LOCK, owner, LOCK_SECONDS, self._clock.now()):
            raise self._busy()
        try:
            if ends_in:
                self._check_longer(key_id, self._clock.now() + ends_in)
            else:
                self._check_another(key_id)
            yield
        finally:
            self._counters.unlock(LOCK, owner)

    def _is_at_stake(self, caller: Caller | None, key_id: str) -> bool:
        if caller is None or caller.anonymous or caller.signed or self._access.has_configured_admin:
            return False
        return self._book.one(key_id).role == "admin"

    def _check_another(self, key_id: str) -> None:
        now = self._clock.now()
        others = (key for key in self._admins() if key.id != key_id)
        if not any(key.status(now) == "active" for key in others):
            raise Conflict(
                "This is the last key of an admin: make another one first, or do it on the gateway's machine.",
                code="last_admin",
            )

    def _check_longer(self, key_id: str, end: float) -> None:
        """Raises Conflict when the day after which no admin is left would come sooner."""
        ends = {key.id: inf if key.expires is None else key.expires for key in self._admins()}
        own = ends.pop(key_id, 0.0)
        if end < own and max(ends.values(), default=0.0) < own:
            raise Conflict(
                "No other key of an admin is good for as long as this one: make one first, or do it on the gateway's "
                "machine.",
                code="last_admin",
            )

    def _admins(self) -> list[StoredKey]:
        return [key for key in self._book.all() if key.role == "admin" and key.revoked is None]

    def _busy(self) -> Conflict | StoreUnavailable:
        if self._is_away():
            return StoreUnavailable("The callers' keys cannot be changed now.")
        error = Conflict("Another key of an admin is being taken away in this moment: ask again.", code="keys_busy")
        error.retryable = True
        return error
