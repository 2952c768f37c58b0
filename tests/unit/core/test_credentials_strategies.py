"""Who is next."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import get_args

import pytest

from config.key_settings import StrategyName
from core.credentials.strategies import STRATEGIES, LeastLoaded, Priority, RoundRobin, Strategy, Weighted
from tests.unit.core.pools_kit import Plant, key


@dataclass
class One:
    id: str
    weight: int = 1
    in_use: int = 0
    priority: int = 0
    used: float = 0.0


def picks(strategy: Strategy, candidates: list[One], count: int) -> str:
    return "".join(strategy.pick(candidates).id for _ in range(count))


def test_round_robin_takes_each_in_turn() -> None:
    assert picks(RoundRobin(), [One("a"), One("b"), One("c")], 7) == "abcabca"


def test_round_robin_honours_weights_and_spreads_them() -> None:
    order = picks(RoundRobin(), [One("a", weight=5), One("b"), One("c")], 14)
    assert Counter(order) == {"a": 10, "b": 2, "c": 2}
    assert order == "aabacaa" * 2


def test_round_robin_stays_fair_when_one_is_missing_for_a_while() -> None:
    a, b, c = One("a"), One("b"), One("c")
    strategy = RoundRobin()
    picks(strategy, [a, b], 10)
    assert Counter(picks(strategy, [a, b, c], 30)) == {"a": 10, "b": 10, "c": 10}


def test_least_loaded_takes_the_one_with_the_fewest_leases() -> None:
    assert LeastLoaded().pick([One("a", in_use=2), One("b", in_use=1), One("c", in_use=3)]).id == "b"


def test_least_loaded_sees_load_in_relation_to_weight() -> None:
    assert LeastLoaded().pick([One("a", in_use=1), One("b", weight=10, in_use=5)]).id == "b"


def test_least_loaded_breaks_ties_by_the_least_recently_used() -> None:
    assert picks(LeastLoaded(), [One("a"), One("b"), One("c")], 7) == "abcabca"


def test_least_loaded_takes_the_one_with_the_largest_share_left() -> None:
    assert LeastLoaded().pick([One("a", used=0.5), One("b", used=0.4, in_use=9), One("c", used=1.0)]).id == "b"


def test_weighted_draws_in_proportion_to_the_weights() -> None:
    counts = Counter(picks(Weighted(Random(1)), [One("a", weight=8), One("b", weight=2)], 1000))
    assert 750 < counts["a"] < 850


def test_priority_takes_the_first_rank_in_turn_and_the_next_only_without_it() -> None:
    first, second, third = One("a"), One("b"), One("c", priority=2)
    strategy = Priority()
    assert Counter(picks(strategy, [third, first, second], 10)) == {"a": 5, "b": 5}
    assert picks(strategy, [third, One("d", priority=1)], 3) == "ddd"
    assert picks(strategy, [third], 2) == "cc"


def test_every_promised_strategy_is_there() -> None:
    assert set(STRATEGIES) == set(get_args(StrategyName))
    for make in STRATEGIES.values():
        assert make(Random(1)).pick([One("a")]).id == "a"


@pytest.mark.parametrize("strategy", ["round_robin", "least_loaded"])
def test_a_new_configuration_goes_on_with_the_turns_of_the_old(strategy: str) -> None:
    plant = Plant(key("a"), key("b"), key("c"), strategy=strategy)
    old, new = plant.worker(), plant.worker()
    used = [old.lease().credential.secret]
    new.inherit(old)
    used.append(new.lease().credential.secret)
    new.replace(plant.keys)
    used.append(new.lease().credential.secret)
    assert sorted(used) == ["a", "b", "c"]
