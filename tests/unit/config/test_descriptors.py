"""The process may have as many connections open as the system lets it."""

import resource

import pytest

from config.descriptors import MOST, raise_limit

INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 524_288), (MOST, 524_288)),
        ((1024, 4096), (4096, 4096)),
        ((1024, INFINITY), (MOST, INFINITY)),
        ((524_288, 524_288), (524_288, 524_288)),
        ((INFINITY, INFINITY), (INFINITY, INFINITY)),
    ],
)
def test_the_limit_is_raised_as_far_as_may_be_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int]
) -> None:
    now = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda what: now[0])
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: now.append(limits))
    raise_limit()
    assert now[-1] == after
