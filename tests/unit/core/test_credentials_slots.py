"""Keys that serve a few requests at a time, and the queue before them."""

from itertools import pairwise

import pytest

from config.settings import QueueSettings
from core.credentials.fair_queue import FairQueue, Ticket
from core.credentials.lease import Lease
from core.credentials.pool import CredentialPool
from core.errors import CredentialsExhausted, SlotsBusy, StoreUnavailable, UpstreamRateLimited, UpstreamServerError
from tests.fakes import FakeClock
from tests.unit.core.pools_kit import Plant, but, fail, ident, info, key


def busy(pool: CredentialPool, ticket: Ticket | None = None) -> bool:
    """True when no slot is free for that ticket; a free one is given back."""
    try:
        pool.lease(ticket=ticket).abandon()
    except SlotsBusy:
        return True
    return False


@pytest.mark.parametrize("how", ["succeed", "fail", "abandon"])
def test_a_key_serves_as_many_at_a_time_as_it_has_slots(how: str) -> None:
    pool = Plant(key("a", slots=2)).worker()
    first = pool.lease()
    pool.lease()
    assert busy(pool)
    match how:
        case "succeed":
            first.succeed(None, 1, None)
        case "fail":
            first.fail(UpstreamServerError("no"), 1)
        case _:
            first.abandon()
    assert not busy(pool)


def test_the_slots_are_those_of_all_workers_at_once() -> None:
    plant = Plant(key("a", slots=1))
    one, two = plant.worker("one"), plant.worker("two")
    lease = one.lease()
    assert busy(two)
    lease.abandon()
    assert not busy(two)


def test_who_only_asks_is_told_what_a_lease_would_meet_and_holds_nothing() -> None:
    plant = Plant(key("a", requests=2, input_tokens=100))
    pool = plant.worker()
    assert [pool.hindrance("m", 100) for _ in range(5)] == [None] * 5
    pool.lease(model="m", tokens=60)
    assert pool.hindrance("m", 40) is None
    told = pool.hindrance("m", 41)
    with pytest.raises(CredentialsExhausted) as raised:
        pool.lease(model="m", tokens=41)
    assert told is not None
    assert (type(told), told.message, told.retry_after) == (
        CredentialsExhausted,
        raised.value.message,
        raised.value.retry_after,
    )


@pytest.mark.parametrize("max_waiting", [0, 1])
def test_a_slot_that_can_be_waited_for_is_no_hindrance(max_waiting: int) -> None:
    plant = Plant(key("a", slots=1), queue=QueueSettings(max_waiting=max_waiting))
    pool = plant.worker()
    lease = pool.lease()
    assert isinstance(pool.hindrance(), SlotsBusy) == (max_waiting == 0)
    lease.abandon()
    assert pool.hindrance() is None


def test_another_key_is_used_before_anybody_waits() -> None:
    pool = Plant(key("a", slots=1), key("b", slots=1), key("c")).worker()
    assert sorted(pool.lease(prefer=ident("a")).credential.secret for _ in range(4)) in (list("abcc"), list("accc"))
    assert pool.lease(prefer=ident("a")).credential.secret != "a"


def test_a_slot_that_is_missing_is_told_apart_from_a_key_that_cools_down() -> None:
    pool = Plant(key("a", slots=1), key("b", slots=3)).worker()
    pool.lease(but("b"))
    for _ in range(3):
        pool.lease(but("a"))
    with pytest.raises(SlotsBusy, match="as many requests at a time") as caught:
        pool.lease()
    assert (caught.value.status, caught.value.code) == (429, "credentials_exhausted")
    assert caught.value.retry_after is not None
    assert (caught.value.details or {})["slots"] == 4


def test_the_slots_of_a_killed_worker_come_back_by_themselves() -> None:
    plant = Plant(key("a", slots=1))
    plant.worker("killed").lease()
    other = plant.worker("other")
    plant.clock.advance(14)
    assert busy(other)
    plant.clock.advance(1)
    assert not busy(other)


def test_a_request_that_lasts_keeps_its_slot_while_its_worker_syncs() -> None:
    plant = Plant(key("a", slots=1))
    one, other = plant.worker("one"), plant.worker("other")
    lease = one.lease()
    for _ in range(100):
        plant.clock.advance(1)
        one.sync()
        assert busy(other)
    lease.abandon()
    one.sync()
    assert not busy(other)


def test_a_slot_that_is_given_back_while_it_is_renewed_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(key("a", slots=1))
    one = plant.worker("one")
    lease, claim = one.lease(), plant.counters.claim

    def slowly(*arguments: object) -> bool:
        held = claim(*arguments)  # type: ignore[arg-type] # passed on as they are
        lease.abandon()
        return held

    plant.clock.advance(10)
    monkeypatch.setattr(plant.counters, "claim", slowly)
    one.sync()
    monkeypatch.undo()
    assert not busy(plant.worker("other"))


def test_without_its_store_a_worker_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(key("a", slots=1))
    pool = plant.worker()

    def away(*_: object) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(plant.counters, "claim", away)
    monkeypatch.setattr(plant.counters, "unclaim", away)
    lease = pool.lease()
    assert busy(pool), "it knows its own leases"
    lease.abandon()
    assert not busy(pool)


def test_keys_without_slots_take_no_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(key("a"))
    monkeypatch.delattr(type(plant.counters), "claim")
    plant.worker().lease().abandon()


def test_what_is_busy_is_shown() -> None:
    pool = Plant(key("a", slots=3, account="x", priority=2)).worker()
    pool.lease()
    shown = info(pool)
    assert (shown.slots, shown.in_use, shown.account, shown.priority) == (3, 1, "x", 2)


# The queue


def test_a_slot_that_somebody_waits_for_is_theirs() -> None:
    pool = Plant(key("a", slots=1)).worker()
    lease = pool.lease()
    ticket = pool.queue.join("anna")
    assert ticket is not None
    assert busy(pool, ticket)
    lease.abandon()
    assert busy(pool), "who has just come does not overtake"
    with pytest.raises(SlotsBusy):
        pool.lease(prefer=ident("a"))
    pool.lease(ticket=ticket)
    pool.queue.leave(ticket, served=True)
    assert len(pool.queue) == 0


def test_a_request_that_waits_for_one_key_holds_up_none_that_takes_another() -> None:
    pool = Plant(key("a", slots=1), key("b", slots=1)).worker()
    leases = {secret: pool.lease(prefer=ident(secret)) for secret in "ab"}
    first, second = pool.queue.join("anna"), pool.queue.join("bert")
    assert first is not None
    assert second is not None
    with pytest.raises(SlotsBusy):
        pool.lease(but("a"), ticket=first)
    with pytest.raises(SlotsBusy):
        pool.lease(ticket=second)
    leases["a"].abandon()
    assert pool.lease(ticket=second).credential.secret == "a"
    leases["b"].abandon()
    assert pool.lease(but("a"), ticket=first).credential.secret == "b"


def test_who_waits_is_told_when_the_key_cools_down_instead() -> None:
    plant = Plant(key("a", slots=2))
    pool = plant.worker()
    lease = pool.lease()
    fail(pool, UpstreamRateLimited("slow", retry_after=9))
    with pytest.raises(Exception, match="cool down") as caught:
        pool.lease(ticket=pool.queue.join("anna"))
    assert not isinstance(caught.value, SlotsBusy)
    lease.abandon()


def serve(queue: FairQueue, tickets: list[Ticket]) -> str:
    """The callers in the order in which they are served."""
    order = ""
    while tickets:
        ticket = next(one for one in tickets if queue.left_for(one, {"k": 1}))
        order += ticket.caller
        tickets.remove(ticket)
        queue.leave(ticket, served=True)
    return order


def joined(queue: FairQueue, callers: str) -> list[Ticket]:
    tickets = [queue.join(caller, {"k"}) for caller in callers]
    assert None not in tickets
    return tickets  # type: ignore[return-value] # none of them is None


def test_callers_take_turns_however_many_requests_each_has() -> None:
    queue = FairQueue(QueueSettings(), FakeClock())
    assert serve(queue, joined(queue, "aaaaabbc")) == "abcabaaa"


def test_the_requests_of_one_caller_are_served_in_order() -> None:
    queue = FairQueue(QueueSettings(), FakeClock())
    tickets = joined(queue, "aaa")
    for ticket in tickets:
        assert queue.left_for(ticket, {"k": 1}) == {"k"}
        queue.leave(ticket, served=True)


def test_one_that_gives_up_costs_its_caller_no_turn() -> None:
    queue = FairQueue(QueueSettings(), FakeClock())
    tickets = joined(queue, "aab")
    queue.leave(tickets.pop(0), served=False)
    assert serve(queue, tickets) == "ab"


def test_the_queue_is_bounded_and_tells_its_length_and_its_waits() -> None:
    lengths: list[int] = []
    waits: list[float] = []
    clock = FakeClock()
    queue = FairQueue(QueueSettings(max_waiting=2), clock, lengths.append, waits.append)
    first, second = joined(queue, "ab")
    assert queue.join("c") is None
    clock.advance(3)
    queue.leave(second, served=False)
    queue.leave(first, served=True)
    assert (lengths, waits) == ([1, 2, 1, 0], [3])


@pytest.mark.parametrize("settings", [QueueSettings(max_wait=0), QueueSettings(max_waiting=0)])
def test_a_queue_that_is_turned_off_takes_nobody(settings: QueueSettings) -> None:
    assert FairQueue(settings, FakeClock()).join("a") is None


def test_a_lease_tells_when_it_stands_in_for_a_key_that_is_only_busy() -> None:
    pool = Plant(key("a", slots=1), key("b")).worker()
    home = pool.lease(prefer=ident("a"))
    assert not home.overflows
    assert pool.lease(prefer=ident("a")).overflows
    assert not pool.lease().overflows, "nobody was preferred"
    home.fail(UpstreamRateLimited("no", retry_after=60), 1)
    assert not pool.lease(prefer=ident("a")).overflows, "it rests, which is no overflow"


@pytest.mark.parametrize("strategy", ["least_loaded", "round_robin", "weighted", "priority"])
def test_of_many_busy_keys_none_is_weighed_against_the_others(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Plant(*(key(f"k-{number}", slots=1) for number in range(100)), strategy=strategy).worker()
    leases, picks = [pool.lease() for _ in range(100)], list[object]()
    pick = pool._strategy.pick
    monkeypatch.setattr(pool._strategy, "pick", lambda candidates: picks.append(1) or pick(candidates))
    for _ in range(10):
        assert busy(pool)
    leases[7].abandon()
    assert not busy(pool)
    assert len(picks) <= 1


class Agent:
    """Asks one thing after the other at its worker, as soon as the one before is answered."""

    def __init__(self, pool: CredentialPool, caller: str) -> None:
        self._pool = pool
        self._caller = caller
        self._ticket: Ticket | None = None
        self._lease: Lease | None = None

    def goes_on(self) -> bool:
        """Ends what runs, and begins the next; False while that waits."""
        if self._lease is not None:
            self._lease.succeed(None, 1, None)
        self._lease = None
        try:
            self._lease = self._pool.lease(ticket=self._ticket)
        except SlotsBusy:
            self._ticket = self._ticket or self._pool.queue.join(self._caller)
            return False
        if self._ticket is not None:
            self._pool.queue.leave(self._ticket, served=True)
            self._ticket = None
        return True


@pytest.mark.parametrize("homes", [("one", "two"), ("one", "one"), ("one", "two", "three")])
def test_agents_that_ask_again_at_once_take_turns_wherever_they_ask(homes: tuple[str, ...]) -> None:
    plant = Plant(key("a", slots=1))
    workers = {name: plant.worker(name) for name in homes}
    agents = [Agent(workers[name], f"agent {number}") for number, name in enumerate(homes)]
    order = []
    for _ in range(60):
        for number, agent in enumerate(agents):
            order += [number] * agent.goes_on()
        plant.clock.advance(0.11)
    for number in range(len(homes)):
        waits = [later - earlier for earlier, later in pairwise(i for i, one in enumerate(order) if one == number)]
        assert len(waits) >= 5
        assert max(waits) <= len(homes), "nobody is passed by for longer than one turn of each other"


def test_who_waits_in_another_worker_is_not_waited_for_once_it_has_left() -> None:
    plant = Plant(key("a", slots=1))
    one, two = plant.worker("one"), plant.worker("two")
    lease, ticket = one.lease(), two.queue.join("anna")
    assert busy(two, ticket)
    lease.abandon()
    assert busy(one), "it is the turn of the other worker"
    assert ticket is not None
    two.queue.leave(ticket, served=False)
    plant.clock.advance(0.5)
    assert not busy(one)


def test_many_who_wait_in_one_worker_do_not_all_go_before_one_in_another() -> None:
    plant = Plant(key("a", slots=1))
    one, two, other = (plant.worker(name) for name in ("one", "two", "other"))
    lease = other.lease()
    crowd = [one.queue.join("anna") for _ in range(5)]
    assert busy(one, crowd[0])
    plant.clock.advance(0.1)
    lone = two.queue.join("bert")
    assert busy(two, lone)
    lease.abandon()
    plant.clock.advance(0.1)
    assert busy(two, lone)
    lease = one.lease(ticket=crowd[0])
    one.queue.leave(crowd[0], served=True)  # type: ignore[arg-type] # there is room for five
    plant.clock.advance(0.1)
    assert busy(one, crowd[1])
    assert busy(two, lone)
    lease.abandon()
    plant.clock.advance(0.1)
    assert busy(one, crowd[1]), "one of them was served since"
    assert not busy(two, lone)


def test_as_many_as_there_are_slots_may_take_them_at_once_and_nobody_overtakes() -> None:
    plant = Plant(key("a", slots=1), key("b", slots=2))
    pool = plant.worker()
    leases = [pool.lease() for _ in range(3)]
    first, second, third = waiting = [pool.queue.join(caller) for caller in ("anna", "bert", "cleo")]
    assert [busy(pool, ticket) for ticket in waiting] == [True] * 3
    for lease in leases[:2]:
        lease.abandon()
    assert busy(pool), "those who wait have them"
    assert busy(pool, third)
    assert second is not None
    assert pool.lease(ticket=second).credential.secret in "ab"
    pool.queue.leave(second, served=True)
    assert not busy(pool, first)
    leases[2].abandon()
    assert busy(pool), "there are two still"
    assert not busy(pool, third)


def test_who_is_not_in_front_is_told_within_a_second_that_waiting_is_over() -> None:
    plant = Plant(key("a", slots=1))
    pool = plant.worker()
    lease = pool.lease()
    front, behind = pool.queue.join("anna"), pool.queue.join("bert")
    assert busy(pool, front)
    assert busy(pool, behind)
    lease.fail(UpstreamRateLimited("slow", retry_after=90), 1)
    with pytest.raises(CredentialsExhausted, match="cool down"):
        pool.lease(ticket=front)
    plant.clock.advance(1)
    with pytest.raises(CredentialsExhausted, match="cool down"):
        pool.lease(ticket=behind)


def test_of_those_who_wait_one_asks_for_all_whether_another_worker_has_given_a_slot_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant, asked = Plant(key("a", slots=1)), list[str]()
    one, other = plant.worker("one"), plant.worker("other")
    lease, claim = other.lease(), plant.counters.claim
    monkeypatch.setattr(plant.counters, "claim", lambda *what: asked.append(what[0]) or claim(*what))
    waiting = [one.queue.join("anna") for _ in range(20)]
    assert all(busy(one, ticket) for ticket in waiting)
    assert len(asked) == 1
    lease.abandon()
    plant.clock.advance(0.1)
    assert not busy(one, waiting[0])
