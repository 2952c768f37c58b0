"""Several workers, one set of credentials."""

from pathlib import Path

import pytest

from core.credentials.pool import CredentialPool
from core.credentials.record import KIND
from core.errors import (
    StoreUnavailable,
    UpstreamForbidden,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
)
from core.store.embedded import EmbeddedStore
from schemas.usage import Usage
from tests.unit.core.credentials_kit import House, fail, info, key_id, succeed

BROKEN = UpstreamServerError("no")


def both(*secrets: str) -> tuple[House, CredentialPool, CredentialPool]:
    house = House(*secrets)
    return house, house.worker("one"), house.worker("two")


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_counts_of_all_workers_add_up() -> None:
    _, one, two = both("a")
    one.lease().succeed(Usage(uncached=3, output=4), 1, 0.5)
    two.lease().succeed(Usage(uncached=30, output=40), 3, 0.25)
    fail(two, BROKEN)
    for pool in (one, two, one):
        pool.sync()
    for pool in (one, two):
        stats = info(pool).stats
        assert (stats.total_requests, stats.total_input_tokens, stats.total_output_tokens) == (3, 33, 44)
        assert (stats.total_cost, stats.errors) == (0.75, {"upstream_server_error": 1})


def test_counting_twice_is_not_what_a_second_sync_does() -> None:
    _, one, _ = both("a")
    succeed(one)
    for _ in range(3):
        one.sync()
    assert info(one).stats.total_requests == 1


def test_a_refused_key_is_written_at_once_and_seen_by_others_with_their_next_sync() -> None:
    _, one, two = both("a")
    fail(one, UpstreamUnauthorized("no"))
    two.sync()
    assert info(two).status == "blacklisted"


def test_errors_on_different_workers_are_one_row() -> None:
    house, one, two = both("a")
    fail(one, BROKEN, 2)
    fail(two, BROKEN)
    assert info(two).status == "degraded"
    two.sync()
    assert house.worker("three").suspects()


def test_a_cooldown_from_another_worker_only_moves_a_deadline_later() -> None:
    house, one, two = both("a")
    short, long = one.lease(), two.lease()
    long.fail(UpstreamRateLimited("slow", retry_after=50), 1)
    short.fail(UpstreamRateLimited("slow", retry_after=5), 1)
    two.sync()
    deadline = info(two).cooldown_until
    assert deadline is not None
    assert deadline.timestamp() == house.clock.now() + 50


def test_a_success_on_one_worker_restores_it_on_all() -> None:
    house, one, two = both("a")
    fail(one, BROKEN, 3)
    two.sync()
    house.clock.advance(1)
    succeed(two)
    two.sync()
    one.sync()
    assert info(one).status == "available"


def test_a_reset_elsewhere_wins_over_what_this_worker_still_holds_against_it() -> None:
    _, one, two = both("a")
    fail(two, UpstreamUnauthorized("no"))
    one.reset(key_id("a"))
    two.sync()
    assert info(two).status == "available"
    two.lease().abandon()


def test_a_reset_that_cannot_be_shared_is_refused() -> None:
    house, one, _ = both("a")
    fail(one, UpstreamUnauthorized("no"))
    house.records.down = True
    with pytest.raises(StoreUnavailable):
        one.reset(key_id("a"))
    assert info(one).status == "blacklisted"


def test_evidence_that_could_not_be_written_before_a_reset_does_not_blacklist_after_it() -> None:
    house, one, two = both("a")
    house.records.down = True
    fail(two, UpstreamUnauthorized("no"))
    assert info(two).status == "blacklisted"
    house.records.down = False
    one.reset(key_id("a"))
    two.sync()
    one.sync()
    assert [info(pool).status for pool in (one, two)] == ["available", "available"]
    assert info(one).stats.failed_requests == 1


def test_nothing_fails_and_nothing_is_lost_while_the_store_is_away() -> None:
    house, one, _ = both("a")
    one.sync()
    house.records.down = True
    succeed(one, 3)
    fail(one, BROKEN, 3)
    one.sync()
    assert (info(one).status, info(one).stats.total_requests) == ("degraded", 6)
    house.records.down = False
    one.sync()
    three = house.worker("three")
    assert (info(three).status, info(three).stats.total_requests) == ("degraded", 6)


def test_what_was_blacklisted_while_the_store_was_away_stays_so_over_a_late_success() -> None:
    house, one, two = both("a")
    house.records.down = True
    late = one.lease()
    fail(one, UpstreamForbidden("no"), 5)
    late.succeed(None, 1, None)
    house.records.down = False
    one.sync()
    two.sync()
    assert [info(pool).status for pool in (one, two)] == ["blacklisted", "blacklisted"]


def test_a_pool_can_be_made_while_the_store_is_away() -> None:
    house = House("a")
    house.records.down = True
    succeed(house.worker())


def test_what_is_blacklisted_stays_so_over_a_restart_of_the_process(tmp_path: Path) -> None:
    house = House("a")
    for status in ("available", "blacklisted"):
        store = EmbeddedStore(tmp_path)
        house.records = store.records  # type: ignore[assignment] # the real home this once
        pool = house.worker()
        assert info(pool).status == status
        if status == "available":
            fail(pool, UpstreamUnauthorized("no"))
        store.close()


def test_the_day_it_was_first_seen_survives_a_restart() -> None:
    house, one, _ = both("a")
    born = info(one).created_at
    one.sync()
    house.clock.advance(1000)
    assert info(house.worker("three")).created_at == born


def test_leases_of_all_workers_are_seen_by_all() -> None:
    house, one, two = both("a")
    leases = [one.lease(), one.lease(), two.lease()]
    one.sync()
    two.sync()
    assert (info(two).in_use, info(two).status) == (3, "in_use")
    for lease in leases:
        lease.abandon()
    one.sync()
    two.sync()
    assert (info(two).in_use, info(two).status) == (0, "available")
    assert house.records.all(KIND)[key_id("a")]["leases"] == {}


def test_running_leases_stay_known_for_as_long_as_their_worker_lives() -> None:
    house, one, two = both("a")
    one.lease()
    for _ in range(60):
        house.clock.advance(1)
        one.sync()
        two.sync()
        assert info(two).in_use == 1


def test_the_leases_of_a_killed_worker_come_back_after_fifteen_seconds() -> None:
    house, one, two = both("a")
    one.lease()
    one.sync()
    house.clock.advance(14)
    two.sync()
    assert info(two).in_use == 1
    house.clock.advance(1.5)
    two.sync()
    assert info(two).in_use == 0


def test_a_sync_without_news_writes_nothing() -> None:
    house, one, _ = both("a", "b")
    one.sync()
    before = house.records.trips
    one.sync()
    assert house.records.trips == before + 1


def test_what_happens_while_a_write_is_on_its_way_is_neither_lost_nor_forgotten() -> None:
    house, one, _ = both("a")
    house.records.meanwhile = lambda: fail(one, UpstreamUnauthorized("no"))
    succeed(one)
    one.sync()
    three = house.worker("three")
    assert (info(one).status, info(three).status) == ("blacklisted", "blacklisted")
    assert info(three).stats.total_requests == 2


def test_what_happens_while_the_others_news_are_read_is_not_undone_by_them() -> None:
    house, one, _ = both("a")
    one.sync()
    house.records.meanwhile = lambda: fail(one, UpstreamUnauthorized("no"))
    one.sync()
    assert info(one).status == "blacklisted"


def test_a_write_that_was_cut_off_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    house, one, _ = both("a")
    one.sync()
    succeed(one)
    monkeypatch.setattr(house.records, "change", interrupted)
    with pytest.raises(KeyboardInterrupt):
        one.sync()
    monkeypatch.undo()
    one.sync()
    assert info(house.worker("three")).stats.total_requests == 1


def test_a_reset_while_a_write_is_on_its_way_stands() -> None:
    house, one, _ = both("a")
    house.records.meanwhile = lambda: one.reset(key_id("a"))
    fail(one, UpstreamUnauthorized("no"))
    assert info(one).status == "available"
    one.sync()
    assert info(one).stats.total_requests == 1


def test_a_record_that_cannot_be_read_is_begun_anew() -> None:
    house = House("a")
    house.records.put(KIND, key_id("a"), {"standing": "what?"})
    pool = house.worker()
    fail(pool, UpstreamUnauthorized("no"))
    assert info(house.worker("two")).status == "blacklisted"


def test_no_secret_is_ever_written() -> None:
    house = House("hush-hush")
    pool = house.worker()
    lease = pool.lease()
    fail(pool, UpstreamUnauthorized("hush-hush is wrong"))
    lease.succeed(Usage(output=1), 1, 1)
    pool.sync()
    assert house.records.texts
    assert "hush" not in str(house.records.texts)
