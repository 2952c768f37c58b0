"""What traffic shows of each provider."""

from pathlib import Path

import pytest

from core.store.embedded import EmbeddedStore
from services.reachability import Reachability
from tests.fakes import FakeClock


def seen(*attempts: tuple[str, str | None]) -> Reachability:
    """What is known after one request with these attempts (provider, error)."""
    reachability = Reachability(FakeClock())
    for provider, error in attempts:
        reachability.note(provider, error)
    return reachability


def test_nothing_is_known_without_traffic() -> None:
    assert seen().of("glm").reachable is None


@pytest.mark.parametrize(
    "error", [None, "rate_limit_exceeded", "upstream_unauthorized", "insufficient_quota", "overloaded"]
)
def test_an_answer_of_any_kind_means_that_the_provider_is_there(error: str | None) -> None:
    assert seen(("glm", error)).of("glm").reachable is True


@pytest.mark.parametrize(
    "error", ["upstream_unreachable", "upstream_timeout", "upstream_broken", "upstream_server_error"]
)
def test_a_failure_of_the_provider_means_that_it_is_not(error: str) -> None:
    evidence = seen(("glm", error)).of("glm")
    assert evidence.reachable is False
    assert evidence.error == error


@pytest.mark.parametrize("error", ["client_closed_request", "internal_error"])
def test_a_client_that_left_and_a_bug_of_ours_show_nothing(error: str) -> None:
    assert seen(("glm", error)).of("glm").reachable is None
    assert seen(("glm", "upstream_timeout"), ("glm", error)).of("glm").reachable is False


def test_the_newest_evidence_counts() -> None:
    clock = FakeClock()
    reachability = Reachability(clock)
    reachability.note("glm", "upstream_timeout")
    clock.advance(1)
    reachability.note("glm", None)
    assert reachability.of("glm").reachable is True
    clock.advance(1)
    reachability.note("glm", "upstream_broken")
    assert reachability.of("glm").reachable is False


def test_each_provider_is_judged_by_its_own_attempts() -> None:
    reachability = seen(("glm", "upstream_timeout"), ("glm-web", None))
    assert reachability.of("glm").reachable is False
    assert reachability.of("glm-web").reachable is True


def test_what_one_worker_has_seen_all_know(tmp_path: Path) -> None:
    clock, store = FakeClock(), EmbeddedStore(tmp_path)
    one, two = Reachability(clock), Reachability(clock)
    one.note("glm", "upstream_timeout")
    one.sync(store.records)
    two.sync(store.records)
    assert (two.of("glm").reachable, two.of("glm").error) == (False, "upstream_timeout")
    clock.advance(1)
    two.note("glm", None)
    two.sync(store.records)
    one.sync(store.records)
    assert one.of("glm").reachable is True
    store.close()


def test_what_was_seen_long_ago_says_nothing_of_now() -> None:
    clock = FakeClock()
    reachability = Reachability(clock)
    reachability.note("glm", "upstream_timeout")
    clock.advance(301)
    assert reachability.of("glm").reachable is None
