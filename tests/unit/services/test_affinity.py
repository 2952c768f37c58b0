"""Where a conversation belongs, and which worker knows it."""

from core.store.memory import MemoryCounters
from services.affinity import BELIEVED_SECONDS, KEPT_SECONDS, Affinity, Binding
from services.recollection import Recollection
from tests.fakes import FakeClock

HERE, THERE = Binding("anthropic", "key-1", "claude"), Binding("anthropic", "key-2", "claude")


class House:
    """Two workers with one store."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        counters = MemoryCounters()
        self.recollections = [Recollection(counters, self.clock) for _ in range(2)]
        self.one, self.two = (Affinity(recollection) for recollection in self.recollections)

    def where(self, worker: int, session: str = "s") -> Binding | None:
        affinity = (self.one, self.two)[worker]
        return affinity.of(session, self.recollections[worker].find(affinity.names(session)))


def test_a_conversation_belongs_where_it_was_answered_on_every_worker() -> None:
    house = House()
    assert house.where(0) is None
    house.one.bind("s", HERE)
    assert house.where(0) == house.where(1) == HERE
    assert house.where(1, "other") is None


def test_a_move_is_known_to_all_within_seconds() -> None:
    house = House()
    house.one.bind("s", HERE)
    assert house.where(1) == HERE
    house.one.bind("s", THERE)
    assert house.where(0) == THERE
    house.clock.advance(BELIEVED_SECONDS)
    assert house.where(1) == THERE


def test_a_failure_unbinds_it() -> None:
    house = House()
    house.one.bind("s", HERE)
    house.one.drop("s")
    assert house.where(0) is None
    assert house.where(1) is None


def test_it_is_forgotten_when_no_cache_can_be_left() -> None:
    house = House()
    house.one.bind("s", HERE)
    house.clock.advance(KEPT_SECONDS)
    assert house.where(0) is None
