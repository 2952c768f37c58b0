"""The token service over several pools and workers."""

from collections.abc import Mapping

import pytest

from config.settings import TokenSettings
from core.credentials.pool import CredentialPool
from core.errors import (
    GatewayError,
    NotFound,
    UpstreamForbidden,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from core.store.memory import MemoryCounters
from schemas.credential import Credential
from schemas.usage import Usage
from services.tokens import TokenService
from tests.unit.core.credentials_kit import House, credentials, fail, info, key_id, succeed

SETTINGS = TokenSettings(error_threshold=3, max_errors=5, health_check_interval=300)
BROKEN = UpstreamServerError("no")


class ListSource:
    """A source whose next answers are set by the test."""

    def __init__(self, problem: str | None = None) -> None:
        self.next: tuple[Credential, ...] | None = None
        self.problem = problem

    def poll(self) -> tuple[Credential, ...] | None:
        found, self.next = self.next, None
        return found


class Site:
    """What workers share: store, counters, clock; `verdict` is what every probe finds."""

    def __init__(self, *secrets: str) -> None:
        self.house = House(*secrets, settings=SETTINGS)
        self.counters = MemoryCounters()
        self.probed: list[str] = []
        self.verdict: GatewayError | None = None

    def probe(self, credential: Credential) -> GatewayError | None:
        self.probed.append(credential.secret)
        return self.verdict

    def worker(self, name: str, sources: Mapping[str, ListSource] | None = None) -> tuple[TokenService, CredentialPool]:
        pool = self.house.worker(name)
        clock = self.house.clock
        return TokenService({"glm": pool}, sources or {}, self.probe, self.counters, SETTINGS, clock, name), pool

    def interval(self) -> None:
        self.house.clock.advance(300)


def test_stats_sum_up_all_tokens_and_list_each() -> None:
    site = Site("a", "b", "c")
    service, pool = site.worker("one")
    pool.lease().succeed(Usage(uncached=10, output=5), 1, 0.5)
    pool.lease().fail(UpstreamUnauthorized("no"), 1)
    pool.lease()
    stats = service.stats()
    assert stats.total_tokens == 3
    assert stats.tokens_by_status == {"available": 1, "in_use": 1, "degraded": 0, "blacklisted": 1}
    assert (stats.total_requests, stats.success_rate, stats.total_cost) == (2, 0.5, 0.5)
    assert (stats.total_input_tokens, stats.total_output_tokens) == (10, 5)
    assert [token.name for token in stats.tokens] == ["a", "b", "c"]


def test_nothing_is_claimed_of_tokens_never_used() -> None:
    stats = Site("a").worker("one")[0].stats()
    assert (stats.success_rate, stats.total_cost) == (None, None)


def test_what_is_shown_holds_no_secret() -> None:
    site = Site("hush-hush")
    service, pool = site.worker("one")
    pool.replace([Credential("glm", "hush-hush", name="mine")])
    succeed(pool)
    assert "hush" not in service.stats().model_dump_json()


def test_reset_finds_the_token_in_whichever_pool_it_is() -> None:
    site, other = Site("a"), House("z")
    _, pool = site.worker("one")
    clock = site.house.clock
    pools = {"other": other.worker(), "glm": pool}
    service = TokenService(pools, {}, site.probe, site.counters, SETTINGS, clock, "one")
    fail(pool, UpstreamUnauthorized("no"))
    assert service.reset(key_id("a")).status == "available"


def test_reset_of_an_unknown_token_is_not_found() -> None:
    with pytest.raises(NotFound):
        Site("a").worker("one")[0].reset("nobody")


def test_reload_uses_what_the_source_has_now() -> None:
    source = ListSource()
    service, pool = Site("a").worker("one", {"glm": source})
    source.next = tuple(credentials("b"))
    service.reload()
    service.reload()
    assert pool.lease().credential.secret == "b"


def test_problems_name_the_provider_whose_file_is_broken() -> None:
    service, _ = Site("a").worker("one", {"glm": ListSource("is broken"), "glm-web": ListSource()})
    assert service.problems() == {"glm": "is broken"}


def test_a_degraded_token_that_passes_the_check_is_available_again_everywhere() -> None:
    site = Site("a")
    service, one = site.worker("one")
    _, two = site.worker("two")
    fail(one, BROKEN, 3)
    site.interval()
    service.check_health()
    two.sync()
    assert [info(pool).status for pool in (one, two)] == ["available", "available"]


def test_healthy_blacklisted_and_cooling_tokens_are_never_probed() -> None:
    site = Site("good", "bad", "cooling")
    service, pool = site.worker("one")
    only = {
        name: frozenset({key_id(other) for other in ("good", "bad", "cooling")} - {key_id(name)})
        for name in ("good", "bad", "cooling")
    }
    pool.lease(only["bad"]).fail(UpstreamUnauthorized("no"), 1)
    for _ in range(3):
        pool.lease(only["cooling"]).fail(BROKEN, 1)
    pool.lease(only["cooling"]).fail(UpstreamRateLimited("slow", retry_after=9999), 1)
    site.interval()
    service.check_health()
    assert site.probed == []


def test_checks_that_fail_end_in_blacklisted() -> None:
    site = Site("a")
    site.verdict = UpstreamForbidden("still no")
    service, pool = site.worker("one")
    fail(pool, BROKEN, 3)
    seen = []
    for _ in range(3):
        site.interval()
        service.check_health()
        seen.append(info(pool).status)
    assert seen == ["degraded", "blacklisted", "blacklisted"]
    assert site.probed == ["a", "a"]


def test_a_check_that_is_refused_blacklists_at_once() -> None:
    site = Site("a")
    site.verdict = UpstreamUnauthorized("no")
    service, pool = site.worker("one")
    fail(pool, BROKEN, 3)
    site.interval()
    service.check_health()
    assert info(pool).status == "blacklisted"


def test_nothing_is_probed_before_the_interval_is_over() -> None:
    site = Site("a")
    service, pool = site.worker("one")
    fail(pool, BROKEN, 3)
    site.house.clock.advance(299)
    service.check_health()
    assert site.probed == []
    site.house.clock.advance(1)
    service.check_health()
    service.check_health()
    assert site.probed == ["a"]


def test_one_worker_probes_for_all() -> None:
    site = Site("a")
    site.verdict = UpstreamTimeout("still no")
    workers = [site.worker(name)[0] for name in ("one", "two", "three")]
    fail(site.worker("four")[1], BROKEN, 3)
    site.interval()
    for service in workers:
        service.check_health()
    assert site.probed == ["a"]


def test_another_worker_takes_over_when_the_prober_dies() -> None:
    site = Site("a")
    site.verdict = UpstreamTimeout("still no")
    one, two = site.worker("one")[0], site.worker("two")[0]
    fail(site.worker("three")[1], BROKEN, 3)
    site.interval()
    one.check_health()
    two.check_health()
    site.interval()
    two.check_health()
    assert site.probed == ["a", "a"]


def test_a_success_on_another_worker_makes_the_probe_needless() -> None:
    site = Site("a")
    service, one = site.worker("one")
    _, two = site.worker("two")
    fail(one, BROKEN, 3)
    two.sync()
    site.house.clock.advance(1)
    succeed(two)
    two.sync()
    site.interval()
    service.check_health()
    assert site.probed == []
    assert info(one).status == "available"


def test_a_success_during_another_tokens_probe_makes_its_own_needless() -> None:
    site = Site("a", "b")
    pool = site.house.worker()
    only_b = frozenset({key_id("a")})

    def probe(credential: Credential) -> None:
        site.probed.append(credential.secret)
        pool.lease(only_b).succeed(None, 1, None)

    service = TokenService({"glm": pool}, {}, probe, site.counters, SETTINGS, site.house.clock, "one")
    fail(pool, BROKEN, 6)
    site.interval()
    service.check_health()
    assert site.probed == ["a"]
    assert {token.status for token in service.infos()} == {"available"}


def test_a_token_that_left_while_it_was_probed_is_no_trouble() -> None:
    site = Site("a")
    pool = site.house.worker()

    def probe(credential: Credential) -> None:
        pool.replace([])

    service = TokenService({"glm": pool}, {}, probe, site.counters, SETTINGS, site.house.clock, "one")
    fail(pool, BROKEN, 3)
    site.interval()
    service.check_health()
    assert service.infos() == []
