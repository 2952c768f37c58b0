"""What every home of the store promises of places of which a name has a few."""

import pytest

from core.store.base import Store, Turn
from tests.contract.conftest import Opening
from tests.contract.store_kit import NOW, together


def claim(store: Store, owner: str, at: float = 0, name: str = "p", limit: int = 2) -> bool:
    return store.counters.claim(name, owner, limit, 15, NOW + at)


def test_a_name_has_as_many_places_as_its_limit_and_not_one_more(store: Store) -> None:
    assert [claim(store, owner) for owner in "abc"] == [True, True, False]
    assert claim(store, "c", name="another")


def test_a_place_ends_by_itself(store: Store) -> None:
    claim(store, "a")
    claim(store, "b", at=5)
    assert not claim(store, "c", at=14.999)
    assert claim(store, "c", at=15)
    assert not claim(store, "d", at=19)
    assert claim(store, "d", at=20)


def test_how_many_are_held_is_told_to_who_holds_none(store: Store) -> None:
    assert store.counters.held("p", NOW) == 0
    for owner in "ab":
        claim(store, owner)
    assert [store.counters.held("p", NOW + at) for at in (0, 14.999, 15)] == [2, 2, 0]
    store.counters.unclaim("p", "a")
    assert store.counters.held("p", NOW) == 1
    assert claim(store, "c"), "looking holds nothing"


def test_its_owner_renews_a_place(store: Store) -> None:
    for owner in "ab":
        claim(store, owner)
    assert claim(store, "a", at=10)
    assert claim(store, "c", at=15), "that of b"
    assert not claim(store, "d", at=24)
    assert claim(store, "d", at=25)


def test_a_place_that_is_given_back_is_free_at_once(store: Store) -> None:
    for owner in "ab":
        claim(store, owner)
    store.counters.unclaim("p", "a")
    assert claim(store, "c")
    assert not claim(store, "d")


def test_only_its_owner_gives_a_place_back(store: Store) -> None:
    for owner in "ab":
        claim(store, owner)
    store.counters.unclaim("p", "c")
    store.counters.unclaim("never claimed", "a")
    assert not claim(store, "c")


def test_a_limit_that_was_lowered_holds_for_new_claims(store: Store) -> None:
    for owner in "abc":
        claim(store, owner, limit=3)
    store.counters.unclaim("p", "a")
    assert not claim(store, "d", limit=1)
    assert claim(store, "b", limit=1), "who has a place keeps it"


def test_a_clock_that_is_set_back_does_not_hold_places_for_as_long(store: Store) -> None:
    for owner in "ab":
        claim(store, owner, at=3600)
    assert claim(store, "c", at=0)


# In line


def turn(store: Store, who: str, since: float, at: float, *, waits: bool = True, limit: int = 1) -> bool:
    """Whether `who` gets a place, for half a second's standing in line."""
    return store.counters.claim("p", f"{who}'s", limit, 15, NOW + at, Turn(who, NOW + since, waits, 0.5))


def test_a_place_that_is_free_is_left_to_who_stands_in_line_for_longer(store: Store) -> None:
    claim(store, "a", limit=1)
    assert not turn(store, "late", since=2, at=2)
    assert not turn(store, "early", since=1, at=2)
    store.counters.unclaim("p", "a")
    assert not turn(store, "new", since=2.1, at=2.1, waits=False)
    assert not turn(store, "late", since=2, at=2.1)
    assert turn(store, "early", since=1, at=2.1)
    store.counters.unclaim("p", "early's")
    assert not turn(store, "early", since=2.2, at=2.2), "it has had its turn"
    assert turn(store, "late", since=2, at=2.2)


def test_who_does_not_ask_again_is_not_in_line_any_more_and_who_does_not_wait_never_is(store: Store) -> None:
    claim(store, "a", limit=1)
    assert not turn(store, "gone", since=0, at=0)
    assert not turn(store, "passing", since=0, at=0.2, waits=False)
    store.counters.unclaim("p", "a")
    assert not turn(store, "new", since=0.499, at=0.499, waits=False)
    assert turn(store, "new", since=0.5, at=0.5, waits=False)


def test_only_as_many_places_as_others_wait_for_are_left_to_them(store: Store) -> None:
    for owner in "ab":
        claim(store, owner)
    assert not turn(store, "first", since=0, at=0, limit=2)
    store.counters.unclaim("p", "a")
    assert not turn(store, "new", since=0.1, at=0.1, waits=False, limit=2)
    store.counters.unclaim("p", "b")
    assert turn(store, "new", since=0.1, at=0.1, waits=False, limit=2)
    assert turn(store, "first", since=0, at=0.2, limit=2)


def test_who_has_a_place_renews_it_whoever_is_in_line_and_names_have_lines_of_their_own(store: Store) -> None:
    claim(store, "a", limit=1)
    assert not turn(store, "first", since=0, at=0)
    assert claim(store, "a", at=0.1, limit=1)
    assert store.counters.held("p", NOW + 0.1) == 1, "who is in line holds nothing"
    assert store.counters.claim("q", "new", 1, 15, NOW + 0.1, Turn("new", NOW + 0.1, waits=False, seconds=0.5))


def test_a_clock_that_is_set_back_leaves_nobody_in_line_for_as_long(store: Store) -> None:
    claim(store, "a", at=3600, limit=1)
    assert not turn(store, "first", since=3600, at=3600)
    assert turn(store, "new", since=3601, at=0)


def test_places_that_many_want_are_given_to_as_many_as_there_are(store: Store) -> None:
    names = iter(range(8))
    assert sum(together(8, lambda: claim(store, f"owner {next(names)}", limit=3))) == 3


@pytest.mark.parametrize("open_home", ["redis", "resilient", "cluster"], indirect=True)
def test_all_workers_share_the_places(open_home: Opening) -> None:
    one, two = open_home(), open_home()
    assert claim(one, "a", limit=1)
    assert not claim(two, "b", limit=1)
    one.counters.unclaim("p", "a")
    assert claim(two, "b", limit=1)
