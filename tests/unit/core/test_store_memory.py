"""What the counters in the process promise beyond the contract."""

from core.store.base import Window
from core.store.memory import MemoryCounters
from core.store.meters import Log


def test_windows_that_nobody_uses_any_more_are_forgotten() -> None:
    counters = MemoryCounters()
    for visitor in range(1000):
        counters.take([Window(f"ip:{visitor}", 5, 60)], now=0)
    for visitor in range(1000):
        counters.take([Window(f"late:{visitor}", 5, 60)], now=60)
    assert len(counters) == 1000, "two old ones are looked at for each new one, so the first thousand are gone"


def test_locks_that_nobody_renews_are_forgotten() -> None:
    counters = MemoryCounters()
    for number in range(100):
        counters.lock(f"old {number}", "me", 30, now=0)
    for number in range(100):
        counters.lock(f"new {number}", "me", 30, now=30)
    assert len(counters) == 100


def test_a_key_that_is_used_for_ever_holds_no_more_than_its_limit() -> None:
    counters, window = MemoryCounters(), Window("k", 10, 60)
    for second in range(10_000):
        counters.take([window], now=second)
    (log,) = counters._meters.values()
    assert isinstance(log, Log)
    assert len(log.entries) <= 10


def test_refusals_leave_nothing_behind() -> None:
    counters = MemoryCounters()
    for number in range(100):
        assert not counters.take([Window(f"k{number}", 1, 60, cost=2)], now=0).granted
    assert len(counters) == 0
