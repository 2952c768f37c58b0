"""A store that goes on without its shared home, counting alone until the home is back."""

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Counters, Records, Store
from core.store.gate import Gate
from core.store.resilient_counters import ResilientCounters
from core.store.resilient_records import ResilientRecords


class ResilientStore:
    """Wraps a shared home. While that is away, windows and places are counted in this process, each with this worker's
    share of its limit; records are read from what was last seen of them, and cannot be written."""

    def __init__(self, home: Store, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._gate = Gate(clock, home.ping)
        self._counters = ResilientCounters(home.counters, self._gate)
        self._records = ResilientRecords(home.records, self._gate)

    @property
    def counters(self) -> Counters:
        """Shared while the home answers, alone otherwise."""
        return self._counters

    @property
    def records(self) -> Records:
        """Shared; writing raises StoreUnavailable while the home is away."""
        return self._records

    @property
    def degraded(self) -> bool:
        """True while the home cannot be reached."""
        return self._gate.degraded

    def expect(self, workers: int) -> None:
        """How many workers share the home: each may grant that part of a limit when alone."""
        self._counters.workers = max(1, workers)

    def save(self) -> None:
        """Raises StoreUnavailable."""
        self._gate.through(self._home.save)
        self._counters.make_up(self._clock.now())

    def measure(self) -> float:
        """How full the home is. Raises StoreUnavailable."""
        return self._gate.through(self._home.measure)

    def ping(self) -> bool:
        """True when the home answers now."""
        try:
            return self._gate.through(self._ping)
        except StoreUnavailable:
            return False

    def close(self) -> None:
        """Let go of the home."""
        self._home.close()

    def _ping(self) -> bool:
        if not self._home.ping():
            raise StoreUnavailable("the shared store does not answer")
        return True
