"""What is done every few seconds beside the requests."""

import gevent
from gevent.event import Event
from structlog.testing import capture_logs

from core.errors import StoreUnavailable
from services.background import Background, Chore

PATIENCE = 10.0
LONG = 3600.0


class Work:
    """Something to do that knows how often it was done; `fails` times it fails first."""

    def __init__(self, enough: int = 3, fails: int = 0, how: Exception | None = None) -> None:
        self.done = 0
        self.enough = Event()
        self._enough = enough
        self._fails = fails
        self._how = how or RuntimeError("no")

    def __call__(self) -> None:
        self.done += 1
        if self.done >= self._enough:
            self.enough.set()
        if self.done <= self._fails:
            raise self._how


def run(*works: Work) -> Background:
    background = Background([Chore(f"chore-{number}", 0.0, work) for number, work in enumerate(works)])
    background.start()
    return background


def test_every_chore_is_done_again_and_again() -> None:
    works = [Work(), Work()]
    background = run(*works)
    assert all(work.enough.wait(PATIENCE) for work in works)
    background.stop()


def test_a_chore_waits_before_it_is_done_for_the_first_time() -> None:
    work = Work()
    background = Background([Chore("late", LONG, work)])
    background.start()
    gevent.idle()
    background.stop()
    assert work.done == 0


def test_a_chore_that_fails_is_logged_and_done_again_and_does_not_stop_the_others() -> None:
    failing, sound = Work(fails=2), Work()
    with capture_logs() as logs:
        background = run(failing, sound)
        assert failing.enough.wait(PATIENCE)
        assert sound.enough.wait(PATIENCE)
        background.stop()
    assert [(log["event"], log["chore"]) for log in logs] == [("chore_failed", "chore-0")] * 2


def test_that_the_store_is_away_is_told_once_and_not_every_second() -> None:
    failing = Work(enough=6, fails=5, how=StoreUnavailable("away"))
    with capture_logs() as logs:
        background = run(failing)
        assert failing.enough.wait(PATIENCE)
        background.stop()
    assert [(log["event"], log["chore"], log["cause"]) for log in logs] == [("chore_failed", "chore-0", "away")]


def test_nothing_is_done_before_the_start_or_after_the_stop() -> None:
    work = Work(enough=1)
    background = Background([Chore("x", 0.0, work)])
    gevent.idle()
    assert work.done == 0
    background.start()
    assert work.enough.wait(PATIENCE)
    background.stop()
    gevent.idle()
    done = work.done
    for _ in range(5):
        gevent.sleep(0)
    assert work.done == done


def test_a_second_start_does_nothing() -> None:
    background = Background([Chore("x", LONG, Work())])
    background.start()
    first = dict(background._greenlets)
    background.start()
    assert background._greenlets == first
    background.stop()


def test_it_can_be_started_again_after_a_stop() -> None:
    work = Work(enough=1)
    background = run(work)
    background.stop()
    background.start()
    assert work.enough.wait(PATIENCE)
    background.stop()


def test_other_chores_take_the_place_of_those_of_their_names_without_another_greenlet() -> None:
    old, new, more = Work(enough=1), Work(enough=1), Work(enough=1)
    background = Background([Chore("x", 0.0, old), Chore("gone", LONG, Work())])
    background.start()
    assert old.enough.wait(PATIENCE)
    greenlets = dict(background._greenlets)
    background.become([Chore("x", 0.0, new), Chore("more", 0.0, more)])
    assert new.enough.wait(PATIENCE)
    assert more.enough.wait(PATIENCE)
    done = old.done
    for _ in range(5):
        gevent.sleep(0)
    assert old.done == done
    assert background._greenlets["x"] is greenlets["x"]
    background.stop()


def test_a_chore_that_is_gone_and_comes_back_is_done_by_one_greenlet() -> None:
    background = Background([Chore("x", LONG, Work())])
    background.start()
    first = dict(background._greenlets)
    background.become([])
    background.become([Chore("x", LONG, Work())])
    assert background._greenlets == first
    background.stop()


def test_what_it_becomes_before_it_starts_runs_from_the_start_on() -> None:
    work = Work(enough=1)
    background = Background()
    background.become([Chore("x", 0.0, work)])
    gevent.idle()
    assert work.done == 0
    background.start()
    assert work.enough.wait(PATIENCE)
    background.stop()
