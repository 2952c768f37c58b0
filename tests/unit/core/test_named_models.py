"""The models that a request names beside the one it is for."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import InvalidRequest
from core.named_models import named_models


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"model": "a"}, ()),
        ({"models": ["a", "b", "a"], "route": "fallback"}, ("a", "b")),
        ({"models": "a"}, ("a",)),
        ({"models": [" a ", 3, None, ["b"]]}, ("a",)),
        ({"fallbacks": ["a", {"model": "b", "messages": []}, {"a": ["c"]}]}, ("a", "b", "c")),
        ({"models": ["a"], "fallbacks": ["b"]}, ("a", "b")),
        ({"context_window_fallbacks": [{"a": ["b"]}], "content_policy_fallbacks": [{"a": ["c"]}]}, ("b", "c")),
        ({"models": {"model": {"model": "a"}}}, ("a",)),
        ({"models": 7}, ()),
    ],
)
def test_every_form_of_naming_them_is_read(body: Mapping[str, Any], names: tuple[str, ...]) -> None:
    assert named_models(body) == names


def test_more_than_anybody_needs_are_refused() -> None:
    assert len(named_models({"models": [str(number) for number in range(32)]})) == 32
    with pytest.raises(InvalidRequest, match="at most 32"):
        named_models({"models": [str(number) for number in range(33)]})
