"""Callers' keys in every home of the state: two workers, each with a view of its own."""

import pytest

from config.settings import ServerSettings, Settings
from core.errors import Conflict, NotFound, Unauthorized
from core.store.base import Store
from schemas.caller import Caller
from schemas.key import KeyChange, KeyRotation, NewKey, StoredKey
from services.access import AccessService
from services.admin_guard import AdminGuard
from services.doors import open_doors
from services.key_book import KeyBook
from tests.contract.conftest import Opening
from tests.contract.store_kit import together
from tests.fakes import FakeClock


class Worker:
    """One process as it sees the keys."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.clock = clock
        self.book = KeyBook(store.records, clock, lambda: store.degraded)
        self.access = AccessService((), self.book)
        self.admins = AdminGuard(self.access, self.book, store.counters, clock, lambda: store.degraded)

    def lets_in(self, secret: str | None, *, local: bool = False) -> bool:
        try:
            self.access.authenticate(secret, local=local)
        except Unauthorized:
            return False
        return True


@pytest.fixture
def workers(open_home: Opening) -> tuple[Worker, Worker]:
    clock = FakeClock()
    one, two = Worker(open_home(), clock), Worker(open_home(), clock)
    assert not two.lets_in("gw-nothing")
    return one, two


def test_a_new_key_works_at_once_where_it_was_not_made(workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    key, secret = one.book.create(NewKey(name="ann", role="operator", models=("glm-*",)), "root")
    assert two.lets_in(secret)
    assert two.book.find(secret) == one.book.find(secret) == key == two.book.one(key.id)


def test_a_rotation_and_its_overlap_hold_everywhere(workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    key, old = one.book.create(NewKey(name="ann"), "root")
    assert two.lets_in(old)
    _, new = one.book.rotate(key.id, KeyRotation(overlap=60), "root")
    assert two.lets_in(new)
    two.book.sync()
    assert two.lets_in(old)
    one.clock.advance(60)
    for worker in workers:
        worker.book.sync()
        assert (worker.lets_in(old), worker.lets_in(new)) == (False, True)
    assert two.access.authenticate(new, local=False).id == key.id


def test_a_revoked_key_is_over_with_the_next_look(workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    key, secret = one.book.create(NewKey(name="ann"), "root")
    assert two.lets_in(secret)
    one.book.revoke(key.id, "root")
    assert not one.lets_in(secret)
    two.book.sync()
    assert not two.lets_in(secret)
    for change in (lambda: two.book.revoke(key.id, "x"), lambda: two.book.update(key.id, KeyChange(name="b"), "x")):
        with pytest.raises(NotFound):
            change()
    assert not two.lets_in(None, local=True), "the door stays shut"


@pytest.mark.parametrize("open_home", ["redis", "resilient", "cluster"], indirect=True)
def test_two_admins_do_not_take_each_others_keys_away(workers: tuple[Worker, Worker]) -> None:
    for _ in range(10):
        keys = [workers[0].book.create(NewKey(name="ann", role="admin"), "root") for _ in workers]
        callers = [workers[0].access.authenticate(secret, local=False) for _, secret in keys]
        hands = list(zip(workers, callers, reversed(keys), strict=True))

        def take(hands: list[tuple[Worker, Caller, tuple[StoredKey, str]]] = hands) -> str:
            worker, caller, (other, _) = hands.pop()
            try:
                with worker.admins.keeping_one(caller, other.id):
                    worker.book.revoke(other.id, caller.name)
            except Conflict as refused:
                return refused.code or ""
            return "taken"

        told = sorted(together(2, take))
        assert told in (["keys_busy", "taken"], ["last_admin", "taken"])
        (left,) = (key for key in workers[0].book.all() if key.status(workers[0].clock.now()) == "active")
        workers[0].book.revoke(left.id, "root")


def test_it_is_all_there_after_a_restart(open_home: Opening) -> None:
    clock = FakeClock()
    store = open_home()
    key, secret = Worker(store, clock).book.create(NewKey(name="ann", expires_in=60), "root")
    store.close()
    again = Worker(open_home(), clock)
    assert again.lets_in(secret)
    assert again.book.all() == [key]
    clock.advance(60)
    assert not again.lets_in(secret)


def test_gateways_that_start_together_make_one_key_for_their_owner(open_home: Opening) -> None:
    clock, settings = FakeClock(), Settings(server=ServerSettings(host="0.0.0.0"))
    waiting = [Worker(open_home(), clock) for _ in range(4)]
    made = together(4, lambda: open_doors(settings, waiting.pop().book, clock.now()))
    secrets = [doors.secret for doors in made if doors.secret is not None]
    assert len(secrets) == 1
    assert Worker(open_home(), clock).lets_in(secrets[0])
