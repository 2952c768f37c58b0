"""What every home of the store promises of locks, of records, and as a whole; its windows have a file of their own."""

from itertools import count

import pytest

from core.store.base import Record, Room, Span, Store
from tests.contract.conftest import Opening
from tests.contract.store_kit import NOW, together

# Locks


def test_a_lock_has_one_owner_at_a_time(store: Store) -> None:
    lock = store.counters.lock
    assert lock("l", "one", 30, NOW)
    assert not lock("l", "two", 30, NOW + 29.9)
    assert lock("other", "two", 30, NOW)


def test_a_lock_ends_by_itself(store: Store) -> None:
    store.counters.lock("l", "one", 30, NOW)
    assert store.counters.lock("l", "two", 30, NOW + 30)
    assert not store.counters.lock("l", "one", 30, NOW + 31)


def test_its_owner_renews_a_lock(store: Store) -> None:
    store.counters.lock("l", "one", 30, NOW)
    assert store.counters.lock("l", "one", 30, NOW + 20)
    assert not store.counters.lock("l", "two", 30, NOW + 40)
    assert store.counters.lock("l", "two", 30, NOW + 50)


def test_only_its_owner_gives_a_lock_back(store: Store) -> None:
    store.counters.lock("l", "one", 30, NOW)
    store.counters.unlock("l", "two")
    assert not store.counters.lock("l", "two", 30, NOW)
    store.counters.unlock("l", "one")
    assert store.counters.lock("l", "two", 30, NOW)
    store.counters.unlock("never locked", "one")


def test_a_lock_that_many_want_is_given_to_one(store: Store) -> None:
    names = iter(range(8))
    assert sum(together(8, lambda: store.counters.lock("l", f"owner {next(names)}", 30, NOW))) == 1


# Texts that are kept for a while


def test_a_text_is_kept_for_its_time(store: Store) -> None:
    store.counters.keep({"a": "Grüße \n\0", "b": ""}, 30, NOW)
    assert store.counters.kept(["a", "b", "never"], NOW) == {"a": "Grüße \n\0", "b": ""}


def test_the_newest_text_under_a_name_counts(store: Store) -> None:
    store.counters.keep({"a": "old"}, 30, NOW)
    store.counters.keep({"a": "new"}, 30, NOW)
    assert store.counters.kept(["a"], NOW) == {"a": "new"}


def test_nothing_is_kept_and_asked_for_at_no_cost(store: Store) -> None:
    store.counters.keep({}, 30, NOW)
    assert store.counters.kept([], NOW) == {}


def fill(store: Store, names: str, room: Room, at: float = NOW) -> None:
    for moment, name in enumerate(names):
        store.counters.keep({name: "x" * 10_000}, 60, at + moment / 100, room)


def there(store: Store, names: str) -> str:
    return "".join(store.counters.kept(list(names), NOW + 1))


ROOM = Room("three", 35_000)


def test_the_least_lately_used_texts_of_a_room_go_when_it_is_full(store: Store) -> None:
    fill(store, "abc", ROOM)
    store.counters.kept(["a"], NOW + 0.5)
    store.counters.use(["a", "never"], "three", NOW + 0.5)
    fill(store, "d", ROOM, NOW + 0.6)
    assert there(store, "abcd") == "acd"
    assert there(store, "never") == ""


def test_rooms_take_nothing_from_each_other_nor_from_what_is_in_none(store: Store) -> None:
    fill(store, "abc", ROOM)
    store.counters.keep({"free": "x" * 50_000}, 60, NOW)
    fill(store, "defghi", Room("two", 25_000))
    assert there(store, "abcdefghi") == "abchi"
    assert store.counters.kept(["free"], NOW)


def test_a_text_that_is_kept_anew_takes_its_room_once(store: Store) -> None:
    for moment in range(20):
        fill(store, "ab", ROOM, NOW + moment)
    fill(store, "c", ROOM, NOW + 30)
    assert there(store, "abc") == "abc"


def test_a_text_that_is_larger_than_its_room_is_not_kept_and_a_room_may_shrink(store: Store) -> None:
    fill(store, "abc", ROOM)
    store.counters.keep({"b": "x" * 40_000}, 60, NOW, Room("three", 35_000))
    assert "b" not in there(store, "abc")
    fill(store, "d", Room("three", 15_000), NOW + 1)
    assert there(store, "abcd") == "d"


def test_what_is_over_takes_no_room(store: Store) -> None:
    store.counters.keep({"a": "x" * 10_000, "b": "x" * 10_000}, 0.2, NOW, ROOM)
    store.counters.keep({"c": "x" * 10_000}, 60, NOW + 0.1, ROOM)
    fill(store, "de", ROOM, NOW + 0.3)
    assert there(store, "cde") == "cde"


# Records

RECORDS: tuple[Record, ...] = (
    {},
    {"text": "Grüße 世界 👋 \n\0\"\\", "n": -(2**70), "f": 0.1, "none": None, "yes": True},
    {"deep": {"list": [1, [2, {"three": "3"}], []]}, "": "empty name", "Infinity": "NaN"},
)  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_read_as_it_was_written(store: Store, record: Record) -> None:
    store.records.put("kind", "key", record)
    assert store.records.get("kind", "key") == record
    assert store.records.all("kind") == {"key": record}


def test_what_was_never_written_is_not_there(store: Store) -> None:
    assert store.records.get("kind", "key") is None
    assert store.records.all("kind") == {}
    assert store.records.delete("kind", "key") is False


def test_kinds_and_keys_are_told_apart(store: Store) -> None:
    names = [("a", "b"), ("a", "c"), ("b", "b"), ("a:b", "c"), ("a", "b:c"), ("ä", "世界"), ("a", "")]
    for number, (kind, key) in enumerate(names):
        store.records.put(kind, key, {"n": number})
    assert [store.records.get(kind, key) for kind, key in names] == [{"n": n} for n in range(len(names))]
    assert store.records.all("a") == {"b": {"n": 0}, "c": {"n": 1}, "b:c": {"n": 4}, "": {"n": 6}}


def test_put_replaces(store: Store) -> None:
    store.records.put("kind", "key", {"a": 1, "b": 2})
    store.records.put("kind", "key", {"a": 3})
    assert store.records.get("kind", "key") == {"a": 3}


def test_what_is_deleted_is_gone(store: Store) -> None:
    store.records.put("kind", "key", {"a": 1})
    assert store.records.delete("kind", "key") is True
    assert store.records.get("kind", "key") is None
    assert store.records.all("kind") == {}


def test_change_makes_the_new_record_from_the_old(store: Store) -> None:
    assert store.records.change("kind", "key", lambda old: {"old": old}) == {"old": None}
    assert store.records.change("kind", "key", lambda old: {"old": old}) == {"old": {"old": None}}
    assert store.records.get("kind", "key") == {"old": {"old": None}}


def test_a_change_that_fails_changes_nothing_and_blocks_nobody(store: Store) -> None:
    def fail(_: Record | None) -> Record:
        raise KeyError("a fault of the caller's")

    store.records.put("kind", "key", {"a": 1})
    with pytest.raises(KeyError):
        store.records.change("kind", "key", fail)
    assert store.records.get("kind", "key") == {"a": 1}
    assert store.records.change("kind", "key", lambda _: {"a": 2}) == {"a": 2}


@pytest.mark.parametrize("value", [float("inf"), float("nan"), object()])
def test_what_json_cannot_spell_is_refused_and_not_written(store: Store, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        store.records.put("kind", "key", {"a": value})
    assert store.records.get("kind", "key") is None


@pytest.fixture
def workers(open_home: Opening) -> list[Store]:
    return [open_home() for _ in range(3)]


def test_what_one_worker_writes_the_others_read(workers: list[Store]) -> None:
    one, two, three = (worker.records for worker in workers)
    one.put("kind", "key", {"n": 1})
    two.change("kind", "key", lambda old: {"n": (old or {})["n"] + 1})
    assert three.get("kind", "key") == {"n": 2}
    three.delete("kind", "key")
    assert one.get("kind", "key") is None


def test_no_change_is_lost_however_many_are_made_at_once(workers: list[Store]) -> None:
    turns = count()

    def add() -> None:
        records = workers[next(turns) % len(workers)].records
        for _ in range(25):
            records.change("kind", "key", lambda old: {"n": (old or {"n": 0})["n"] + 1})

    together(6, add)
    assert workers[0].records.get("kind", "key") == {"n": 150}


def test_records_outlive_the_store_that_wrote_them(open_home: Opening) -> None:
    first = open_home()
    first.records.put("kind", "key", {"a": 1})
    first.close()
    assert open_home().records.get("kind", "key") == {"a": 1}


def test_a_home_that_answers_says_so(store: Store) -> None:
    assert store.ping()
    assert not store.degraded


# Records in the order of their keys


def test_a_page_goes_on_behind_the_last_key(store: Store) -> None:
    store.records.put_all("k", {f"{number:03}": {"n": number} for number in range(250)})
    first = store.records.page("k", Span(limit=100))
    second = store.records.page("k", Span(after=first[-1][0], limit=100))
    last = store.records.page("k", Span(after=second[-1][0], limit=100))
    assert [value["n"] for _, value in (*first, *second, *last)] == list(range(250))
    assert store.records.page("k", Span(after=last[-1][0])) == []


def test_a_page_may_begin_at_the_end(store: Store) -> None:
    store.records.put_all("k", {name: {} for name in "abcde"})
    assert [key for key, _ in store.records.page("k", Span(limit=2, backwards=True))] == ["e", "d"]
    assert [key for key, _ in store.records.page("k", Span(before="d", limit=2, backwards=True))] == ["c", "b"]


def test_the_ends_of_a_span_are_not_part_of_it(store: Store) -> None:
    store.records.put_all("k", {name: {} for name in "abcde"})
    assert [key for key, _ in store.records.page("k", Span(after="a", before="d"))] == ["b", "c"]
    assert [key for key, _ in store.records.page("k", Span(after="aa", before="c!"))] == ["b", "c"]


def test_keys_are_ordered_by_their_bytes(store: Store) -> None:
    names = ["ä", "z", "Z", "a b", "a", "10", "9", "\U0001f600", "\uffff"]
    for name in names:
        store.records.put("k", name, {})
    assert [key for key, _ in store.records.page("k", Span())] == sorted(names, key=str.encode)


def test_pages_follow_every_way_of_writing(store: Store) -> None:
    store.records.put("k", "put", {"n": 1})
    store.records.change("k", "changed", lambda _: {"n": 1})
    store.records.change("k", "changed", lambda _: {"n": 2})
    store.records.put_all("k", {"all": {"n": 1}})
    store.records.put("k", "gone", {})
    assert store.records.delete("k", "gone")
    assert store.records.page("k", Span()) == [("all", {"n": 1}), ("changed", {"n": 2}), ("put", {"n": 1})]


def test_the_first_records_are_pruned_in_batches(store: Store) -> None:
    store.records.put_all("k", {f"{number:02}": {} for number in range(10)})
    assert [store.records.prune("k", "07", 4) for _ in range(3)] == [4, 3, 0]
    assert list(store.records.all("k")) == ["07", "08", "09"]


def test_a_kind_that_is_dropped_is_empty_and_others_stay(store: Store) -> None:
    store.records.put("k", "a", {})
    store.records.put("other", "a", {})
    store.records.drop("k")
    assert (store.records.all("k"), store.records.page("k", Span())) == ({}, [])
    assert list(store.records.all("other")) == ["a"]


def test_nothing_is_written_when_there_is_nothing_to_write(store: Store) -> None:
    store.records.put_all("k", {})
    assert store.records.all("k") == {}
