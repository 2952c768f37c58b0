"""Where a conversation belongs, and which worker knows it."""

from core.credentials.choosing import AT_HOME, Homeward
from core.store.memory import MemoryCounters
from services.affinity import BELIEVED_SECONDS, KEPT_SECONDS, LONGEST_AWAY, Affinity, Binding, after
from services.recollection import Recollection
from tests.fakes import FakeClock

HERE, THERE = Binding("anthropic", "key-1", "claude"), Binding("anthropic", "key-2", "claude")


class House:
    """Two workers with one store."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        counters = MemoryCounters()
        self.recollections = [Recollection(counters, self.clock) for _ in range(2)]
        self.one, self.two = (Affinity(recollection, self.clock) for recollection in self.recollections)

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


# The way home

LIFE = 300.0


class Journey:
    """A conversation that goes from key to key."""

    def __init__(self) -> None:
        self.house = House()
        self.binding: Binding | None = None

    def answer(self, key: str, after_seconds: float = 0, life: float = LIFE, provider: str = "p") -> None:
        self.house.clock.advance(after_seconds)
        self.binding = after(self.binding, provider, key, "m", at=self.house.clock.now(), life=life)
        self.house.one.bind("s", self.binding)

    def homeward(self, after_seconds: float = 0) -> Homeward:
        self.house.clock.advance(after_seconds)
        found = self.house.where(1)
        assert found is not None
        return self.house.two.homeward(found)


def test_where_it_stays_it_is_at_home() -> None:
    journey = Journey()
    for _ in range(20):
        journey.answer("home", 100)
    assert journey.homeward() == AT_HOME


def test_it_may_go_back_as_long_as_its_prompt_is_cached_where_it_was() -> None:
    journey = Journey()
    journey.answer("home")
    for _ in range(3):
        journey.answer("away", 90)
        assert journey.homeward() == Homeward("home")
    assert journey.homeward(29) == Homeward("home")
    assert journey.homeward(1) == AT_HOME, "its own cache is warm, and that at home is lost"


def test_once_it_is_cached_nowhere_any_better_key_will_do() -> None:
    journey = Journey()
    journey.answer("home")
    journey.answer("away", 90)
    assert journey.homeward(LIFE) == Homeward(anyone=True)


def test_it_does_not_stay_away_for_ever_however_warm_it_is() -> None:
    journey = Journey()
    journey.answer("home")
    for _ in range(int(LONGEST_AWAY / 100)):
        journey.answer("away", 100)
    assert journey.homeward() == AT_HOME
    assert journey.homeward(100) == Homeward(anyone=True)


def test_a_cache_that_was_written_for_an_hour_is_warm_for_an_hour() -> None:
    journey = Journey()
    journey.answer("home", life=3600)
    journey.answer("home", life=LIFE)
    journey.answer("away", 10, life=LIFE)
    assert journey.homeward(3000) == Homeward("home", anyone=True)


def test_another_provider_is_no_way_back() -> None:
    journey = Journey()
    journey.answer("home")
    journey.answer("away", 10, provider="q")
    assert journey.homeward() == AT_HOME


def test_what_another_version_kept_is_nothing() -> None:
    house = House()
    house.recollections[0].keep({"affinity:s": "p\0key\0m"}, 100)
    assert house.where(0) is None
