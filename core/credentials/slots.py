"""How many requests a key serves at a time, over all workers."""

from itertools import count

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Counters, Turn
from schemas.credential import Credential

SLOT_SECONDS = 15.0
"""How long the slot of a worker that no longer renews it is kept."""

LOOK_SECONDS = 0.1
"""For how long it is believed that other workers hold all slots of a key."""

LINE_SECONDS = 0.5
"""For how long a worker in which somebody waits for a key is in line for it, unless it asks again."""

RENEW_SECONDS = SLOT_SECONDS / 3


class Slots:
    """Places in the store, one for each lease of a key that has `slots`; each takes a trip, and another to end.

    Where requests wait in several workers these take turns. `renew`, about once a second, keeps the places of running
    leases. While the store fails, none is kept from working.
    """

    def __init__(self, counters: Counters, clock: Clock, worker_id: str) -> None:
        self._counters = counters
        self._clock = clock
        self._worker_id = worker_id
        self._numbers = count()
        self._held: dict[str, tuple[Credential, float]] = {}
        self._full: dict[str, float] = {}
        self._served: dict[str, float] = {}

    def claim(self, credential: Credential, waited: float | None = None) -> str | None:
        """The name of the slot that this lease holds now; None when all are held, or others are in line for them.

        `waited` is for how many seconds the request has waited for it, None for one that has just come. Of those who
        wait, and look again and again, one asks for all within `LOOK_SECONDS`.
        """
        now = self._clock.now()
        if waited is not None and self._full.get(credential.id, now) > now:
            return None
        owner = f"{self._worker_id}:{next(self._numbers)}"
        if not self._ask(owner, credential, self._turn(credential, waited, now)):
            self._full[credential.id] = now + LOOK_SECONDS
            return None
        self._full.pop(credential.id, None)
        self._served[credential.id] = now
        self._hold(owner, credential)
        return owner

    def release(self, owner: str) -> None:
        """Give the slot back."""
        credential, _ = self._held.pop(owner)
        self._full.pop(credential.id, None)
        self._give_back(owner, credential)

    def renew(self) -> None:
        """Keep the slots of the leases that run."""
        now = self._clock.now()
        for owner, (credential, renew_at) in list(self._held.items()):
            if renew_at > now or owner not in self._held:
                continue
            self._ask(owner, credential)
            if owner in self._held:
                self._hold(owner, credential)
            else:
                self._give_back(owner, credential)  # its lease ended while the store was waited for

    def _turn(self, credential: Credential, waited: float | None, now: float) -> Turn:
        """Many who wait in one worker go before nobody else for longer than since it was served last."""
        if waited is None:
            return Turn(self._worker_id, now, waits=False, seconds=LINE_SECONDS)
        since = max(now - waited, self._served.get(credential.id, 0.0))
        return Turn(self._worker_id, since, waits=True, seconds=LINE_SECONDS)

    def _ask(self, owner: str, credential: Credential, turn: Turn | None = None) -> bool:
        name, limit = _name(credential), credential.slots or 1
        try:
            return self._counters.claim(name, owner, limit, SLOT_SECONDS, self._clock.now(), turn)
        except StoreUnavailable:
            return True

    def _hold(self, owner: str, credential: Credential) -> None:
        self._held[owner] = (credential, self._clock.now() + RENEW_SECONDS)

    def _give_back(self, owner: str, credential: Credential) -> None:
        try:
            self._counters.unclaim(_name(credential), owner)
        except StoreUnavailable:
            return  # it ends by itself


def _name(credential: Credential) -> str:
    return f"slots:{credential.id}"
