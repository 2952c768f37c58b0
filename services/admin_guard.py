"""AdminGuard: the key of an admin goes only while another one is left, whoever asks at the same moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex

from core.clock import Clock
from core.errors import Conflict, StoreUnavailable
from core.store.base import Counters
from schemas.caller import Caller
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
    def keeping_one(self, caller: Caller | None, key_id: str) -> Iterator[None]:
        """Inside of this the caller may revoke or lower that key.

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
        others = (key for key in self._book.all() if key.id != key_id and key.role == "admin")
        if not any(key.status(now) == "active" for key in others):
            raise Conflict(
                "This is the last key of an admin: make another one first, or do it on the gateway's machine.",
                code="last_admin",
            )

    def _busy(self) -> Conflict | StoreUnavailable:
        if self._is_away():
            return StoreUnavailable("The callers' keys cannot be changed now.")
        error = Conflict("Another key of an admin is being taken away in this moment: ask again.", code="keys_busy")
        error.retryable = True
        return error
