"""The bodies of a worker's requests stay within their room, and whoever finds none waits in line for a while."""

import gevent
import pytest

from core.errors import Overloaded
from services.body_room import COPIES, LOOK_SECONDS, SMALL_BYTES, BodyPlace, BodyRoom
from tests.fakes import FakeClock

MEGABYTE = 1024 * 1024
LONG = 60.0


def room(bodies: int, patience: float = LONG) -> BodyRoom:
    """Room for so many bodies of a megabyte each."""
    return BodyRoom(bodies * COPIES * MEGABYTE, patience, FakeClock())


def asked(one: BodyRoom, length: int = MEGABYTE) -> "gevent.Greenlet[..., BodyPlace]":
    """A request that asks for a place and may have to wait for it."""
    waits = gevent.spawn(one.claim, length)
    gevent.sleep(0)
    return waits


def test_a_body_is_counted_as_often_as_it_is_held_and_once_when_its_answer_has_begun() -> None:
    one = room(2)
    place = one.claim(MEGABYTE)
    assert one.held == COPIES * MEGABYTE
    place.answered()
    assert one.held == MEGABYTE
    for _ in range(2):
        place.release()
        place.answered()
        assert one.held == 0


def test_what_takes_more_once_it_is_parsed_is_counted_until_its_answer_is_over() -> None:
    one = room(2)
    place = one.claim(MEGABYTE)
    place.widen(6 * MEGABYTE)
    assert one.held == (COPIES + 6) * MEGABYTE
    place.answered()
    assert one.held == 7 * MEGABYTE
    large = asked(one, 2 * MEGABYTE)
    assert not large.ready(), "what is kept of it counts"
    place.release()
    large.get().release()
    assert one.held == 0


def test_one_that_finds_no_room_waits_until_there_is_and_they_come_in_their_order() -> None:
    one = room(2)
    first, second = one.claim(MEGABYTE), one.claim(MEGABYTE)
    large, small = asked(one, 2 * MEGABYTE), asked(one, SMALL_BYTES + 1)
    first.release()
    gevent.sleep(0)
    assert (large.ready(), small.ready(), one.waiting) == (False, False, 2), "nobody slips in ahead of the large one"
    second.release()
    large.get().release()
    small.get().release()
    assert one.held == 0


def test_an_answer_that_begins_makes_room() -> None:
    one = BodyRoom(4 * MEGABYTE, LONG, FakeClock())
    place, other = one.claim(MEGABYTE), asked(one)
    assert not other.ready()
    place.answered()
    other.get().release()


def test_one_that_waits_in_vain_is_told_when_to_come_again_and_blocks_nobody() -> None:
    refused: list[bool] = []
    clock = FakeClock()
    one = BodyRoom(4 * MEGABYTE, LONG, clock, lambda: refused.append(True))
    held, other = one.claim(MEGABYTE), asked(one)
    clock.advance(LONG - 1)
    gevent.sleep(2 * LOOK_SECONDS)
    assert (other.ready(), refused) == (False, [])
    clock.advance(1)
    with pytest.raises(Overloaded) as told:
        other.get()
    assert (told.value.status, told.value.retry_after, refused) == (503, 5.0, [True])
    assert one.waiting == 0
    held.release()
    assert one.held == 0


def test_small_bodies_never_wait_and_are_counted() -> None:
    one = room(1, patience=0)
    one.claim(MEGABYTE)
    one.claim(SMALL_BYTES)
    assert one.held == COPIES * (MEGABYTE + SMALL_BYTES)


def test_a_body_larger_than_all_the_room_is_let_in_alone() -> None:
    one = room(1)
    one.claim(SMALL_BYTES)
    place = one.claim(50 * MEGABYTE)
    other = asked(one)
    assert not other.ready()
    place.release()
    assert other.get()


def test_one_that_is_too_large_waits_for_no_answer_that_has_begun() -> None:
    one = room(1)
    place = one.claim(MEGABYTE // 2)
    too_large = asked(one, 50 * MEGABYTE)
    assert not too_large.ready()
    place.answered()
    large = too_large.get()
    next_one = asked(one, 50 * MEGABYTE)
    large.answered()
    gevent.sleep(0)
    assert not next_one.ready(), "what is left of such answers stays within the room"
    large.release()
    assert next_one.get()


class Turns:
    """The turn of one of two workers, which the other may have."""

    def __init__(self) -> None:
        self.theirs = self.ours = False

    def take(self) -> bool:
        self.ours = not self.theirs
        return self.ours

    def leave(self) -> None:
        self.ours = False


def test_workers_take_turns_with_what_is_too_large_for_their_room() -> None:
    turns = Turns()
    one = BodyRoom(COPIES * MEGABYTE, LONG, FakeClock(), turn=turns)
    one.claim(MEGABYTE).release()
    turns.theirs = True
    too_large = asked(one, 4 * MEGABYTE)
    assert not too_large.ready()
    turns.theirs = False
    place = too_large.get(timeout=LONG)
    assert turns.ours
    place.answered()
    assert turns.ours, "what is left of it does not fit either"
    place.release()
    assert not turns.ours


def test_what_fits_takes_nobodys_turn() -> None:
    turns = Turns()
    turns.theirs = True
    one = BodyRoom(COPIES * MEGABYTE, 0, FakeClock(), turn=turns)
    one.claim(MEGABYTE).release()
    with pytest.raises(Overloaded):
        one.claim(2 * MEGABYTE)
    assert one.held == 0


def test_one_that_grows_goes_ahead_of_those_who_wait_for_what_it_holds() -> None:
    one = room(2)
    growing, other = one.claim(MEGABYTE), one.claim(MEGABYTE)
    waits, grown = asked(one), gevent.spawn(growing.grow, 2 * MEGABYTE)
    gevent.sleep(0)
    other.release()
    grown.get()
    assert not waits.ready()
    growing.release()
    assert waits.get()


@pytest.mark.parametrize("over", ["answered", "release"])
def test_of_those_that_fill_the_room_and_all_need_more_one_goes_on_and_then_the_next(over: str) -> None:
    one = room(2)
    places = [one.claim(MEGABYTE), one.claim(MEGABYTE)]
    first, second = (gevent.spawn(place.grow, 3 * MEGABYTE) for place in places)
    gevent.sleep(0)
    first.get(timeout=LONG)
    again = gevent.spawn(places[0].widen, 9 * MEGABYTE)
    again.get(timeout=LONG)
    assert not second.ready(), "one at a time"
    getattr(places[0], over)()
    second.get(timeout=LONG)
    for place in places:
        place.release()
    assert one.held == 0


def test_one_whose_request_is_ended_while_it_waits_leaves_the_line() -> None:
    one = room(1)
    place, waits = one.claim(MEGABYTE), asked(one)
    waits.kill()
    assert one.waiting == 0
    place.release()
    assert one.held == 0
