"""How evidence from several workers becomes one standing."""

from hypothesis import given
from hypothesis import strategies as st

from core.credentials.standing import Change, Standing, apply
from tests.unit.core.credentials_kit import SETTINGS

times = st.integers(1, 20).map(float)
changes = st.builds(
    Change,
    epoch=st.just(0),
    errors=st.integers(0, 2),
    failed_at=times,
    cooldown_until=times,
    blacklisted=st.booleans(),
)


def error(at: float, epoch: int = 0) -> Change:
    return Change(epoch, errors=1, failed_at=at)


def success(at: float) -> Change:
    return Change(cleared_by="complete", cleared_at=at)


def standing_after(*evidence: Change) -> Standing:
    standing = Standing()
    for change in evidence:
        standing = apply(standing, change, SETTINGS)
    return standing


@given(st.permutations([1.0, 2.0, 3.0, 9.0, 4.0]), times)
def test_a_cooldown_only_moves_later(deadlines: list[float], first: float) -> None:
    seen = [standing_after(*(Change(cooldown_until=one) for one in deadlines[:count])) for count in range(1, 6)]
    assert [one.cooldown_until for one in seen] == [max(deadlines[:count]) for count in range(1, 6)]


@given(changes, changes)
def test_errors_and_deadlines_merge_alike_in_any_order(first: Change, second: Change) -> None:
    assert standing_after(first, second) == standing_after(second, first)


@given(changes, changes, changes)
def test_news_written_together_weigh_as_much_as_news_written_one_by_one(a: Change, b: Change, c: Change) -> None:
    assert standing_after(a, b, c) == standing_after(a.then(b).then(c))


def test_a_success_starts_the_count_again() -> None:
    assert standing_after(error(1), error(2), success(3), error(4)).errors == 1


def test_a_success_reported_late_does_not_void_newer_errors() -> None:
    standing = standing_after(error(5), error(6), error(7), success(1))
    assert (standing.state, standing.errors) == ("degraded", 3)


def test_an_error_reported_late_does_not_outlive_a_newer_success() -> None:
    assert standing_after(success(5), error(1)).errors == 0


def test_evidence_from_before_a_reset_is_void() -> None:
    reset = standing_after(Change(blacklisted=True, reason="why")).reset()
    assert apply(reset, Change(epoch=0, blacklisted=True, cooldown_until=9, errors=9), SETTINGS) == reset
    assert (reset.state, reset.epoch, reset.reason) == ("available", 1, None)


def test_a_blacklisted_credential_keeps_its_reason() -> None:
    refused = Change(blacklisted=True, reason="refused")
    later = Change(errors=1, failed_at=2, reason="timeout")
    assert standing_after(refused, later).reason == standing_after(refused.then(later)).reason == "refused"
