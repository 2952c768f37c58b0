"""Callers' keys that are made, changed and revoked while the gateway runs."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from config.settings import ApiKeySettings, JwtSettings, ServerSettings, Settings
from core.errors import ModelNotAllowed, NotFound, Unauthorized
from core.store.memory import MemoryCounters
from schemas.caller import Caller
from schemas.key import KeyChange, KeyRotation, NewKey
from services.access import AccessService, is_permitted, permit
from services.first_key import first_key
from services.key_book import KeyBook
from services.key_desk import KeyDesk
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictRecords


class Worker:
    """A worker with its own view of the keys; another one on the same records is another worker."""

    def __init__(self, other: "Worker | None" = None, configured: tuple[ApiKeySettings, ...] = ()) -> None:
        self.clock = other.clock if other else FakeClock()
        self.records = other.records if other else DictRecords()
        self.book = KeyBook(self.records, self.clock)
        self.access = AccessService(configured, self.book)

    def make(self, **wanted: Any) -> tuple[str, str]:
        key, secret = self.book.create(NewKey(**{"name": "ann", **wanted}), "root")
        return key.id, secret

    def enter(self, secret: str | None, *, local: bool = False) -> Caller:
        return self.access.authenticate(secret, local=local)

    def is_let_in(self, secret: str) -> bool:
        try:
            self.enter(secret)
        except Unauthorized:
            return False
        return True


def test_a_key_opens_the_door_at_once_in_every_worker_and_says_who_it_is() -> None:
    one = Worker()
    two = Worker(one)
    assert not two.is_let_in("gw-unknown")
    key_id, secret = one.make(role="operator", models=["glm-*"], limits={"tokens_per_minute": 5}, budget={"daily": 2.5})
    for worker in (one, two):
        caller = worker.enter(secret)
        assert (caller.id, caller.name, caller.role, caller.models) == (key_id, "ann", "operator", ("glm-*",))
        assert caller.limits is not None
        assert (caller.limits.tokens_per_minute, caller.daily_budget) == (5, 2.5)


def test_the_secret_is_kept_nowhere() -> None:
    worker = Worker()
    with capture_logs() as logs:
        _, secret = worker.make()
    assert secret not in repr(worker.records.kinds) + repr(vars(worker.book)) + repr(logs)
    assert secret[3:] not in repr(worker.records.kinds)
    assert [(log["event"], log["by"]) for log in logs] == [("key_created", "root")]
    assert len(secret) > 40


def test_a_revoked_key_is_refused_here_at_once_and_elsewhere_with_the_next_look() -> None:
    one = Worker()
    two = Worker(one)
    key_id, secret = one.make()
    assert two.is_let_in(secret)
    one.book.revoke(key_id, "root")
    assert not one.is_let_in(secret)
    two.book.sync()
    assert not two.is_let_in(secret)
    with pytest.raises(NotFound):
        one.book.rotate(key_id, KeyRotation(), "root")
    assert one.book.one(key_id).status(0) == "revoked"


def test_a_rotated_keys_old_secret_works_for_the_overlap_only_and_the_caller_stays_the_same() -> None:
    worker = Worker()
    key_id, old = worker.make()
    _, new = worker.book.rotate(key_id, KeyRotation(overlap=3600), "root")
    assert worker.enter(old).id == worker.enter(new).id == key_id
    worker.clock.advance(3599)
    assert worker.is_let_in(old)
    worker.clock.advance(2)
    assert (worker.is_let_in(old), worker.is_let_in(new)) == (False, True)
    _, newest = worker.book.rotate(key_id, KeyRotation(), "root")
    assert (worker.is_let_in(new), worker.is_let_in(newest)) == (False, True)
    assert len(worker.book.one(key_id).secrets) <= 2


def test_a_second_rotation_never_prolongs_an_older_secret() -> None:
    worker = Worker()
    key_id, first = worker.make()
    worker.book.rotate(key_id, KeyRotation(overlap=10), "root")
    worker.book.rotate(key_id, KeyRotation(overlap=1000), "root")
    worker.clock.advance(11)
    assert not worker.is_let_in(first)


def test_a_key_expires_by_the_clock_also_while_the_store_is_away() -> None:
    worker = Worker()
    _, secret = worker.make(expires_in=60)
    worker.records.away = True
    worker.book.sync()
    worker.clock.advance(59)
    assert worker.is_let_in(secret)
    worker.clock.advance(1)
    assert not worker.is_let_in(secret)


def test_what_is_changed_counts_and_what_is_not_named_stays() -> None:
    worker = Worker()
    key_id, secret = worker.make(role="operator", models=["a"], expires_in=60)
    worker.book.update(key_id, KeyChange(models=("b",), expires_in=None), "root")
    worker.clock.advance(61)
    caller = worker.enter(secret)
    assert (caller.role, caller.models, caller.name) == ("operator", ("b",), "ann")


def test_guesses_do_not_keep_the_store_busy() -> None:
    worker = Worker()
    reads: list[str] = []
    original = worker.records.all
    worker.records.all = lambda kind: reads.append(kind) or original(kind)  # type: ignore[method-assign,func-returns-value] # counts
    for _ in range(50):
        worker.is_let_in("gw-the-same-guess")
    assert len(reads) == 2, "once at the start, once for the guess"
    for number in range(1000):
        worker.is_let_in(f"gw-{number}")
    assert len(reads) <= 22
    worker.clock.advance(6)
    _, secret = Worker(worker).make()
    assert worker.is_let_in(secret), "a real one is found all the same"


def test_the_first_key_a_person_makes_closes_the_door_for_those_without() -> None:
    worker = Worker()
    assert worker.enter(None, local=True).anonymous
    worker.make()
    with pytest.raises(Unauthorized):
        worker.enter(None, local=True)


def test_uses_are_written_down_now_and_then() -> None:
    worker = Worker()
    key_id, secret = worker.make()
    worker.clock.advance(5)
    worker.enter(secret)
    worker.book.share_uses()
    assert worker.book.one(key_id).last_used == worker.clock.now()


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "a\nb"}, {"role": "root"}, {"expires_in": -1}, {"budget": {"daily": 0}}, {"color": 1}],
)
def test_a_wish_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NewKey(**{"name": "ann", **wrong})


# Models


@pytest.mark.parametrize(
    ("patterns", "names", "may"),
    [
        ((), ("anything",), True),
        (("glm-*",), ("GLM-4.7",), True),
        (("glm-*",), ("gpt-5.5",), False),
        (("gpt-5.5",), ("openai/gpt-5.5", "gpt-5.5"), True),
        (("",), ("x",), False),
    ],
)
def test_a_key_may_use_the_models_of_its_patterns(patterns: tuple[str, ...], names: tuple[str, ...], may: bool) -> None:
    caller = Caller("a", "ann", "user", models=patterns)
    assert is_permitted(caller, *names) == may
    if not may:
        with pytest.raises(ModelNotAllowed, match=names[0]):
            permit(caller, *names)


# The owner's key


def make_first(wanted: Settings, book: KeyBook) -> str | None:
    return first_key(wanted, book, MemoryCounters(), 0.0)


def settings(host: str = "0.0.0.0", **more: Any) -> Settings:
    return Settings(server=ServerSettings(host=host), **more)


def test_a_gateway_that_others_reach_makes_one_key_once_and_stays_open_to_its_own_machine() -> None:
    worker = Worker()
    secret = make_first(settings(), worker.book)
    assert secret is not None
    assert worker.enter(secret).role == "admin"
    assert make_first(settings(), KeyBook(worker.records, worker.clock)) is None
    assert worker.enter(None, local=True).anonymous
    with pytest.raises(Unauthorized):
        worker.enter(None)


def test_replicas_that_start_in_the_same_moment_make_one_key_together() -> None:
    counters, made = MemoryCounters(), []
    for _ in range(3):
        made.append(first_key(settings(), Worker().book, counters, 0.0))
    assert sum(key is not None for key in made) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_gateway_of_its_own_machine_makes_no_key(host: str) -> None:
    assert make_first(settings(host), Worker().book) is None


def test_with_keys_or_tokens_configured_or_the_store_away_no_key_is_made() -> None:
    keys = (ApiKeySettings(name="a", key=SecretStr("k")),)
    worker = Worker()
    assert make_first(settings(access={"keys": keys}), worker.book) is None
    assert make_first(settings(access={"jwt": JwtSettings(secret=SecretStr("s" * 32))}), worker.book) is None
    worker.records.away = True
    assert make_first(settings(), worker.book) is None


# The command line


def test_the_command_line_shows_a_secret_once_and_lists_the_rest() -> None:
    worker = Worker()
    desk = KeyDesk(worker.book, worker.clock)
    assert "No keys have been made" in desk.listing()
    secret = desk.create({"name": "ann", "models": ("glm-*",)}).splitlines()[0]
    assert worker.is_let_in(secret)
    table = desk.listing()
    assert secret not in table
    assert [word in table for word in ("ann", "glm-*", "active", "never", secret[:8])] == [True] * 5
    (key,) = worker.book.all()
    assert worker.is_let_in(desk.rotate(key.id, 3600).splitlines()[0])
    assert worker.is_let_in(secret)
    desk.revoke(key.id)
    assert not worker.is_let_in(secret)
    with pytest.raises(ValueError, match="role"):
        desk.create({"name": "x", "role": "king"})
