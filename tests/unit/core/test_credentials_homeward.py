"""A conversation on its way back to a key that goes before the one where it is."""

import pytest

from core.credentials.choosing import AT_HOME, Homeward
from core.credentials.pool import CredentialPool
from core.errors import UpstreamRateLimited
from tests.unit.core.pools_kit import Plant, fail, ident, key

ANYONE = Homeward(anyone=True)
LEFT = Homeward(left=ident("a"))


def pool(strategy: str = "priority") -> CredentialPool:
    keys = (key("a", priority=0), key("b", priority=0), key("c", priority=1), key("d", priority=2))
    return Plant(*keys, strategy=strategy).worker()


def taken(pool: CredentialPool, at: str, homeward: Homeward) -> str:
    lease = pool.lease(model="m", prefer=ident(at), homeward=homeward)
    lease.abandon()
    assert not lease.overflows, "where it is answered it is at home"
    return lease.credential.secret


@pytest.mark.parametrize(
    ("at", "homeward", "taken_"),
    [
        ("c", AT_HOME, "c"),
        ("c", LEFT, "a"),
        ("d", LEFT, "a"),
        ("b", LEFT, "b"),
        ("b", ANYONE, "b"),
        ("a", ANYONE, "a"),
        ("c", Homeward(left=ident("d")), "c"),
        ("c", Homeward(left="nobody"), "c"),
    ],
)
def test_it_goes_where_it_is_better_off_and_only_there(at: str, homeward: Homeward, taken_: str) -> None:
    assert taken(pool(), at, homeward) == taken_


def test_with_nothing_to_lose_the_strategy_says_which_of_the_better_ones() -> None:
    keys = pool()
    assert {taken(keys, "c", ANYONE) for _ in range(4)} == {"a", "b"}
    fail(keys, UpstreamRateLimited("slow", retry_after=60), "a")
    fail(keys, UpstreamRateLimited("slow", retry_after=60), "b")
    assert taken(keys, "c", ANYONE) == "c"
    assert taken(keys, "d", ANYONE) == "c"


@pytest.mark.parametrize("strategy", ["round_robin", "least_loaded", "weighted"])
def test_where_all_keys_are_equal_it_stays(strategy: str) -> None:
    assert {taken(pool(strategy), "c", homeward) for homeward in (LEFT, ANYONE)} == {"c"}


def test_a_better_key_whose_slots_are_taken_is_no_reason_to_leave_the_warm_one() -> None:
    keys = Plant(
        key("a", priority=0, slots=1), key("b", priority=1), key("c", priority=1), strategy="priority"
    ).worker()
    held = keys.lease(prefer=ident("a"))
    assert {taken(keys, "b", LEFT) for _ in range(3)} == {"b"}
    held.abandon()
    assert taken(keys, "b", LEFT) == "a"


def test_a_key_that_only_serves_as_many_as_it_may_is_still_the_one_to_come_back_to() -> None:
    keys = Plant(key("a", priority=0, slots=1), key("b", priority=1), strategy="priority").worker()
    keys.lease(prefer=ident("a"))
    lease = keys.lease(prefer=ident("a"))
    assert (lease.credential.secret, lease.overflows) == ("b", True)
