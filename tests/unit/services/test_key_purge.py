"""Which keys are forgotten, when, and that nothing opens by it."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.errors import NotFound
from core.store.memory import MemoryCounters
from schemas.key import KeyChange, NewKey
from services.key_book import KeyBook
from services.key_purge import BATCH, KeyPurge
from services.known_keys import DIGESTS
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictRecords

DAY = 86_400.0


class House:
    """A key book and what purges it, with a clock."""

    def __init__(self, days: float | None = 90) -> None:
        self.clock, self.records, counters = FakeClock(), DictRecords(), MemoryCounters()
        self.book = KeyBook(self.records, self.clock)
        self.purge = KeyPurge(self.records, counters, days, self.clock, "worker")
        self.other = KeyPurge(self.records, counters, days, self.clock, "another")

    def make(self, **wanted: Any) -> str:
        return self.book.create(NewKey(**{"name": "ann", **wanted}), "root")[0].id

    def listed(self) -> set[str]:
        return {key.id for key in self.book.all()}

    def later(self, days: float) -> None:
        self.clock.advance(days * DAY)


@pytest.fixture
def house() -> House:
    one = House()
    one.make(name="living")
    return one


def test_a_key_is_listed_for_so_many_days_after_its_end_and_then_forgotten(house: House) -> None:
    revoked, expiring = house.make(), house.make(expires_in=10 * DAY)
    house.book.revoke(revoked, "root")
    house.later(89)
    assert house.purge.run() == 0
    house.later(1)
    assert house.purge.run() == 1
    assert revoked not in house.listed()
    assert expiring in house.listed()
    house.later(10)
    assert house.purge.run() == 1
    assert len(house.listed()) == 1


def test_nothing_is_left_of_it_and_its_secret_opens_nothing(house: House) -> None:
    key, secret = house.book.create(NewKey(name="ann", expires_in=DAY), "root")
    house.later(91)
    with capture_logs() as logs:
        house.purge.run()
    assert [(log["event"], log["key_ids"]) for log in logs] == [("keys_purged", [key.id])]
    assert len(house.records.all(DIGESTS)) == 1, "of the living one"
    house.book.sync()
    assert house.book.find(secret) is None
    assert house.book.by_id(key.id) is None
    with pytest.raises(NotFound):
        house.book.one(key.id)


def test_many_go_in_batches_those_first_that_ended_first(house: House) -> None:
    keys = []
    for _ in range(BATCH + 20):
        keys.append(house.make(expires_in=1 + len(keys)))
    house.later(100)
    assert house.purge.run() == BATCH
    assert keys[BATCH] in house.listed()
    assert keys[BATCH - 1] not in house.listed()
    assert [house.purge.run() for _ in range(2)] == [20, 0]


def test_one_worker_does_it_for_all(house: House) -> None:
    house.make(expires_in=1)
    house.later(100)
    assert house.purge.run() == 1
    house.make(expires_in=1)
    house.clock.advance(1)
    assert house.other.run() == 0, "the first has it in hand"
    house.later(100)
    assert house.other.run() == 1


def test_the_last_key_of_a_person_and_the_owners_stay_so_that_nothing_opens() -> None:
    house = House()
    owners, _ = house.book.create_owners(NewKey(name="owner", role="admin", expires_in=1), "gateway")
    first = house.make(expires_in=DAY)
    house.later(0.5)
    last = house.make(expires_in=1)
    house.later(100)
    house.purge.run()
    assert first not in house.listed()
    assert house.listed() == {owners.id, last}
    restarted = KeyBook(house.records, house.clock)
    restarted.sync()
    assert restarted.rules


def overtaken(house: House, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let `act` happen between the purge's look at a key and its hand on it."""
    change = house.records.change

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(house.records, "change", change)
        act()
        return change(*arguments)

    monkeypatch.setattr(house.records, "change", late)


def test_a_key_that_gets_more_time_in_this_moment_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key = house.make(expires_in=1)
    house.later(100)
    overtaken(house, monkeypatch, lambda: house.book.update(key, KeyChange(expires_in=DAY), "root"))
    assert house.purge.run() == 0
    assert house.book.one(key).status(house.clock.now()) == "active"


def test_a_key_that_is_no_longer_there_is_nobodys_mistake(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key = house.make(expires_in=1)
    house.later(100)
    overtaken(house, monkeypatch, lambda: house.records.delete("keys", key))
    assert house.purge.run() == 0
    assert house.records.get("keys", key) is None


def test_without_a_time_all_are_kept() -> None:
    house = House(days=None)
    house.make()
    house.make(expires_in=1)
    house.later(10_000)
    assert house.purge.run() == 0
    assert len(house.listed()) == 2
