"""Callers' keys that are made, changed and revoked while the gateway runs."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from config.settings import ApiKeySettings, JwtSettings, ServerSettings, Settings
from core.errors import Conflict, ModelNotAllowed, NotFound, StoreUnavailable, Unauthorized
from core.store.memory import MemoryCounters
from schemas.caller import Caller
from schemas.key import KeyChange, KeyRotation, NewKey
from services.access import AccessService, is_permitted, permit
from services.admin_guard import AdminGuard
from services.doors import open_doors
from services.key_book import KeyBook
from services.key_desk import KeyDesk
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictRecords


class Worker:
    """A worker with its own view of the keys; another one on the same records is another worker."""

    def __init__(self, other: "Worker | None" = None, configured: tuple[ApiKeySettings, ...] = ()) -> None:
        self.clock = other.clock if other else FakeClock()
        self.records = other.records if other else DictRecords()
        self.book = KeyBook(self.records, self.clock, lambda: self.records.away)
        self.access = AccessService(configured, self.book)
        self.counters = other.counters if other else MemoryCounters()
        self.is_degraded = False
        self.admins = AdminGuard(self.access, self.book, self.counters, self.clock, lambda: self.is_degraded)

    def make(self, **wanted: Any) -> tuple[str, str]:
        key, secret = self.book.create(NewKey(**{"name": "ann", **wanted}), "root")
        return key.id, secret

    def give_up(self, key_id: str, caller: Caller) -> None:
        """Does what is allowed without doing it."""
        with self.admins.keeping_one(caller, key_id):
            return

    def end_in(self, seconds: float, key_id: str, caller: Caller) -> None:
        """The same for letting it end."""
        with self.admins.keeping_one(caller, key_id, seconds):
            return

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
    worker.book.sync()
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


class Reads:
    """Counts what is asked of a worker's records."""

    def __init__(self, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for name in ("get", "all"):
            monkeypatch.setattr(worker.records, name, self._counted(getattr(worker.records, name)))

    def _counted(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: str) -> Any:
            self.count += 1
            return read(*arguments)

        return counted


GUESS = "gw-" + "x" * 43


def test_a_known_key_costs_no_trip_to_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    _, secret = worker.make()
    worker.book.sync()
    reads = Reads(worker, monkeypatch)
    assert all(worker.is_let_in(secret) for _ in range(100))
    assert reads.count == 0


def test_guesses_do_not_keep_the_store_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    worker.book.sync()
    reads = Reads(worker, monkeypatch)
    for _ in range(50):
        worker.is_let_in(GUESS)
    assert reads.count <= 2, "one look for the guess"
    for number in range(1000):
        worker.is_let_in(f"gw-{number:043}")
    assert reads.count <= 2 * 20, "as many looks as are allowed in a second"
    worker.clock.advance(6)
    _, secret = Worker(worker).make()
    assert worker.is_let_in(secret), "a real one is found all the same"


@pytest.mark.parametrize("other", ["a.b.c", "sk-123", "gw-short", GUESS + "x", GUESS + "\n", "gw-" + "é" * 43])
def test_what_does_not_look_like_a_key_is_not_looked_for(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    worker = Worker()
    worker.book.sync()
    reads = Reads(worker, monkeypatch)
    assert not worker.is_let_in(other)
    assert reads.count == 0


def test_a_record_that_cannot_be_read_opens_nothing_and_keeps_nobody_else_out() -> None:
    worker = Worker()
    _, secret = worker.make()
    worker.records.put("keys", "key_broken", {"id": "key_broken"})
    with capture_logs() as logs:
        worker.book.sync()
        worker.book.sync()
    assert worker.is_let_in(secret)
    assert [log["event"] for log in logs] == ["key_unreadable"], "told once"


# While the store is away


def test_while_nobody_knows_which_keys_there_are_nobody_is_let_in_without_one() -> None:
    first = Worker()
    _, secret = first.make()
    first.records.away = True
    restarted = Worker(first)
    for key in (None, secret, "any"):
        with pytest.raises(StoreUnavailable):
            restarted.enter(key, local=True)
    first.records.away = False
    assert restarted.is_let_in(secret)
    with pytest.raises(Unauthorized):
        restarted.enter(None, local=True)


def test_a_store_that_answers_with_old_copies_is_away_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Worker()
    first.make()
    restarted = Worker(first)
    restarted.book = KeyBook(first.records, first.clock, lambda: True)
    restarted.access = AccessService((), restarted.book)
    monkeypatch.setattr(first.records, "all", lambda kind: {})
    with pytest.raises(StoreUnavailable):
        restarted.enter(None, local=True)


def test_configured_keys_need_no_store() -> None:
    worker = Worker(configured=(ApiKeySettings(name="root", key=SecretStr("k-root"), role="admin"),))
    worker.records.away = True
    assert worker.enter("k-root").name == "root"
    with pytest.raises(Unauthorized):
        worker.enter("k-wrong")
    with pytest.raises(StoreUnavailable):
        worker.enter(GUESS)


def test_what_is_known_goes_on_working() -> None:
    worker = Worker()
    _, secret = worker.make()
    worker.book.sync()
    worker.records.away = True
    worker.book.sync()
    assert worker.is_let_in(secret)
    with pytest.raises(Unauthorized):
        worker.enter(GUESS)


# The open door


def test_revoking_the_last_key_opens_nothing() -> None:
    worker = Worker()
    key_id, _ = worker.make()
    worker.book.revoke(key_id, "root")
    for one in (worker, Worker(worker)):
        with pytest.raises(Unauthorized):
            one.enter(None, local=True)


def test_the_first_key_a_person_makes_closes_the_door_for_those_without() -> None:
    worker = Worker()
    assert worker.enter(None, local=True).anonymous
    worker.make()
    with pytest.raises(Unauthorized):
        worker.enter(None, local=True)


def test_a_store_that_loses_everything_opens_nothing_that_was_closed() -> None:
    worker = Worker()
    worker.make()
    worker.records.kinds.clear()
    worker.book.sync()
    with pytest.raises(Unauthorized):
        worker.enter(None, local=True)


def test_uses_are_written_down_now_and_then_and_never_put_back() -> None:
    worker = Worker()
    other = Worker(worker)
    key_id, secret = worker.make()
    other.enter(secret)
    worker.clock.advance(5)
    worker.enter(secret)
    worker.book.share_uses()
    other.book.share_uses()
    assert worker.book.one(key_id).last_used == worker.clock.now()
    worker.clock.advance(5)
    worker.book.revoke(key_id, "root")
    assert not worker.is_let_in(secret)


def test_what_is_refused_is_no_use_of_a_key() -> None:
    worker = Worker()
    key_id, secret = worker.make(expires_in=10)
    worker.clock.advance(11)
    assert not worker.is_let_in(secret)
    worker.book.share_uses()
    assert worker.book.one(key_id).last_used is None


def test_an_expired_key_is_not_rotated_but_may_be_given_more_time() -> None:
    worker = Worker()
    key_id, secret = worker.make(expires_in=10)
    worker.clock.advance(11)
    with pytest.raises(Conflict, match="more time"):
        worker.book.rotate(key_id, KeyRotation(), "root")
    worker.book.update(key_id, KeyChange(expires_in=60), "root")
    assert worker.is_let_in(secret)
    worker.book.rotate(key_id, KeyRotation(), "root")
    assert not worker.is_let_in(secret)


def test_of_limits_and_budget_too_what_is_not_named_stays_and_null_takes_one_away() -> None:
    worker = Worker()
    key_id, _ = worker.make(
        limits={"requests_per_minute": 5, "tokens_per_minute": 7}, budget={"hourly": 1.0, "daily": 2.0}
    )

    def changed(**wanted: Any) -> tuple[list[Any], list[Any]]:
        key = worker.book.update(key_id, KeyChange.model_validate(wanted), "root")
        return list(key.limits.model_dump().values()), list(key.budget.model_dump().values())

    assert changed(budget={"daily": 3.0}) == ([5, 7, None], [1.0, 3.0])
    assert changed(limits={"tokens_per_minute": None, "concurrent_streams": 9}) == ([5, None, 9], [1.0, 3.0])
    assert changed(budget={"hourly": None}, limits={}) == ([5, None, 9], [None, 3.0])
    assert changed(limits=None, budget=None) == ([None, None, None], [None, None])


def test_nobody_takes_away_the_last_key_of_an_admin() -> None:
    worker = Worker()
    key_id, secret = worker.make(role="admin")
    me = worker.enter(secret)
    with pytest.raises(Conflict, match="last key"):
        worker.give_up(key_id, me)
    other, _ = worker.make(role="admin", expires_in=60)
    low, _ = worker.make(role="operator")
    worker.give_up(key_id, me)
    worker.clock.advance(61)
    with pytest.raises(Conflict):
        worker.give_up(key_id, me)
    worker.book.revoke(other, "root")
    with pytest.raises(Conflict):
        worker.give_up(key_id, me)
    worker.give_up(low, me)
    configured = Worker(worker, (ApiKeySettings(name="root", key=SecretStr("key-of-root"), role="admin"),))
    configured.give_up(key_id, me)


def test_one_admins_key_is_taken_away_at_a_time_and_none_while_the_store_is_away() -> None:
    worker = Worker()
    (one, secret), (other, _) = worker.make(role="admin"), worker.make(role="admin")
    me = worker.enter(secret)
    with worker.admins.keeping_one(me, other), pytest.raises(Conflict, match="ask again") as busy:
        Worker(worker).give_up(one, me)
    assert (busy.value.code, busy.value.retryable) == ("keys_busy", True)
    worker.give_up(one, me)
    with worker.admins.keeping_one(me, other):
        worker.is_degraded = True
        with pytest.raises(StoreUnavailable):
            worker.give_up(one, me)


def test_who_did_what_is_logged_and_kept_and_never_the_secret() -> None:
    worker = Worker()
    with capture_logs() as logs:
        key_id, secret = worker.make()
        _, new = worker.book.rotate(key_id, KeyRotation(overlap=60), "ann (1)")
        worker.book.update(key_id, KeyChange(role="operator"), "bob (2)")
        worker.book.revoke(key_id, "cid (3)")
    assert [(log["event"], log["by"], log["key_id"]) for log in logs] == [
        ("key_created", "root", key_id),
        ("key_rotated", "ann (1)", key_id),
        ("key_changed", "bob (2)", key_id),
        ("key_revoked", "cid (3)", key_id),
    ]
    assert secret not in repr(logs)
    assert new not in repr(logs)
    key = worker.book.one(key_id)
    assert (key.created_by, key.changed_by, key.changed) == ("root", "cid (3)", worker.clock.now())


def test_nothing_is_left_of_secrets_that_are_over() -> None:
    worker = Worker()
    key_id, _ = worker.make()
    worker.book.rotate(key_id, KeyRotation(), "root")
    assert len(worker.records.kinds["key_digests"]) == 1
    worker.book.revoke(key_id, "root")
    assert not worker.records.kinds["key_digests"]


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
        (("*",), ("glm-web/anything", "anything"), True),
        (("glm-*",), ("glm-web/claude-x", "claude-x"), False),
        (("glm-*",), ("glm-web/glm-4.7", "glm-4.7"), True),
        (("glm-web/*",), ("glm-web/claude-x", "claude-x"), True),
        (("glm-web/*",), ("claude-x",), False),
    ],
)
def test_a_key_may_use_the_models_of_its_patterns(patterns: tuple[str, ...], names: tuple[str, ...], may: bool) -> None:
    caller = Caller("a", "ann", "user", models=patterns)
    assert is_permitted(caller, *names) == may
    if not may:
        with pytest.raises(ModelNotAllowed, match=names[0]):
            permit(caller, *names)


# The owner's key


def settings(host: str = "0.0.0.0", **more: Any) -> Settings:
    return Settings(server=ServerSettings(host=host), **more)


def test_a_gateway_that_others_reach_makes_one_key_once_and_stays_open_to_its_own_machine() -> None:
    worker = Worker()
    doors = open_doors(settings(), worker.book, worker.clock.now())
    assert doors.secret is not None
    assert (doors.owner, doors.made, doors.shut, doors.known) == (True, 0, False, True)
    assert worker.enter(doors.secret).role == "admin"
    again = open_doors(settings(), KeyBook(worker.records, worker.clock), worker.clock.now())
    assert (again.secret, again.owner) == (None, True)
    assert worker.enter(None, local=True).anonymous
    with pytest.raises(Unauthorized):
        worker.enter(None)


def test_two_gateways_that_start_together_make_one_key_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Worker()
    two = Worker(one)
    first = open_doors(settings(), one.book, one.clock.now())
    monkeypatch.setattr(two.book, "all", list)
    second = open_doors(settings(), two.book, two.clock.now())
    assert first.secret is not None
    assert second.secret is None
    assert len(one.book.all()) == 1
    assert one.is_let_in(first.secret)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_gateway_of_its_own_machine_makes_no_key(host: str) -> None:
    assert open_doors(settings(host), Worker().book, 0).secret is None


def test_with_keys_or_tokens_configured_or_made_or_the_store_away_no_key_is_made() -> None:
    keys = (ApiKeySettings(name="a", key=SecretStr("k")),)
    worker = Worker()
    assert open_doors(settings(access={"keys": keys}), worker.book, 0).secret is None
    assert open_doors(settings(access={"jwt": JwtSettings(secret=SecretStr("s" * 32))}), worker.book, 0).secret is None
    worker.make()
    made = open_doors(settings(), worker.book, 0)
    assert (made.secret, made.owner, made.made, made.shut) == (None, False, 1, True)
    away = Worker()
    away.records.away = True
    assert not open_doors(settings(), away.book, 0).known


def test_the_last_admins_key_is_not_made_to_end_while_no_other_one_outlives_it() -> None:
    worker = Worker()
    mine, secret = worker.make(role="admin")
    me = worker.enter(secret)
    worker.make(role="user")
    with pytest.raises(Conflict) as refused:
        worker.end_in(100, mine, me)
    assert refused.value.code == "last_admin"
    other, _ = worker.make(role="admin", expires_in=200)
    worker.end_in(50, other, me)
    with pytest.raises(Conflict):
        worker.end_in(300, mine, me)
    worker.book.update(mine, KeyChange(expires_in=100), "root")
    worker.end_in(50, mine, me)
    for longer in (mine, other):
        worker.end_in(300, longer, me)
    with pytest.raises(Conflict):
        worker.end_in(150, other, me)
    worker.book.revoke(other, "root")
    with pytest.raises(Conflict):
        worker.end_in(50, mine, me)


# The command line


def test_the_command_line_shows_a_secret_once_and_lists_the_rest() -> None:
    worker = Worker()
    desk = KeyDesk(worker.book, worker.clock, "me on the command line")
    assert "No keys have been made" in desk.listing()
    secret = desk.create("ann", None, {"models": ("glm-*",), "role": "user"}).splitlines()[0]
    assert worker.is_let_in(secret)
    table = desk.listing()
    assert secret not in table
    assert [word in table for word in ("ann", "glm-*", "active", "never", secret[:8])] == [True] * 5
    (key,) = worker.book.all()
    assert key.created_by == "me on the command line"
    assert worker.is_let_in(desk.rotate(key.id, 3600).splitlines()[0])
    assert worker.is_let_in(secret)
    desk.revoke(key.id)
    assert not worker.is_let_in(secret)
    for act in (lambda: desk.revoke(key.id), lambda: desk.rotate(key.id, 0), lambda: desk.change(key.id, 1, {})):
        with pytest.raises(NotFound, match="was revoked"):
            act()
    with pytest.raises(ValueError, match="role"):
        desk.create("x", None, {"role": "king"})


def test_the_command_line_changes_what_it_is_told_and_leaves_the_rest() -> None:
    worker = Worker()
    desk = KeyDesk(worker.book, worker.clock, "me")
    desk.create("ann", 1, {"requests_per_minute": 5, "tokens_per_minute": 7, "daily": 2.5, "models": ()})
    (key,) = worker.book.all()
    assert key.expires == worker.clock.now() + 86_400
    assert "never" in desk.change(key.id, 0, {"name": None, "role": "operator", "models": (), "requests_per_minute": 9})
    (key,) = worker.book.all()
    assert (key.name, key.role, key.expires, key.models) == ("ann", "operator", None, ())
    assert (key.limits.requests_per_minute, key.limits.tokens_per_minute, key.budget.daily) == (9, 7, 2.5)
    told = desk.change(key.id, None, {"requests_per_minute": 0, "daily": 0.0})
    (key,) = worker.book.all()
    assert (key.limits.requests_per_minute, key.limits.tokens_per_minute, key.budget.daily) == (None, 7, None)
    assert told == f"ann's key ({key.id}): operator, models all, expires never, 7 tokens per minute."
    told = desk.change(key.id, 2, {"models": ("glm-*", "x"), "hourly": 0.5, "concurrent_streams": 2000})
    assert "models glm-* x" in told
    assert told.endswith("7 tokens per minute, 2,000 concurrent streams, 0.5 USD hourly.")
    desk.change(key.id, 2, {})
    assert worker.book.one(key.id).expires == worker.clock.now() + 2 * 86_400
