"""A worker lets the answers end that run when it leaves, and how long that may take depends on why it leaves."""

import signal
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from config import gunicorn_worker
from config.gunicorn_worker import Worker

LOOKS = 1000


class Leaving(Worker):
    """A worker that has been asked to leave; its last answer ends after it was looked at `LOOKS` times."""

    def __init__(self) -> None:
        super().__init__(0, 0, [], SimpleNamespace(server=TIMES), 0, Config(), LOG)
        self.alive, self.looks, self.ended = False, 0, False
        self.standing.replaced = True

    def notify(self) -> None:
        """Nobody watches this one."""

    def _is_busy(self) -> bool:
        self.looks += 1
        return not self.ended and self.looks < LOOKS

    def _end_answers(self) -> None:
        self.ended = True


class Told(Leaving):
    """The same, told to end after the first looks."""

    def _is_busy(self) -> bool:
        if self.looks == 9:
            self.handle_exit(signal.SIGTERM, None)
        return super()._is_busy()


TIMES = SimpleNamespace(drain_seconds=0, shutdown_seconds=0)
LOG = SimpleNamespace(warning=lambda *_: None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunicorn_worker, "sleep", lambda seconds: None)


def test_one_that_retires_waits_for_its_answers_however_long_they_take() -> None:
    worker = Leaving()
    worker.run()
    assert not worker.ended
    assert worker.looks >= LOOKS


@pytest.mark.parametrize("told", [True, False])
def test_one_that_is_told_to_end_ends_them_after_a_while(told: bool) -> None:
    worker = Leaving() if told else Told()
    worker._told = told
    worker.run()
    assert worker.ended
    assert worker.looks < LOOKS
