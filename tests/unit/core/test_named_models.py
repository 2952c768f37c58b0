"""The models that a request names beside the one it is for."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import InvalidRequest
from core.named_models import asks_several, named_models


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
        ({"context_window_fallback_dict": {"a": "b", "c": "d"}}, ("b", "d")),
        ({"deployment_id": "a"}, ("a",)),
        ({"model_list": [{"model_name": "a", "litellm_params": {"model": "b"}}]}, ("b",)),
        (
            {"user_config": {"model_list": [{"litellm_params": {"model": "a"}}], "fallbacks": [{"x": ["b"]}]}},
            ("b", "a"),
        ),
        ({"router_settings_override": {"model_group_alias": {"x": "a", "y": {"model": "b"}}}}, ("a", "b")),
        ({"model_list": 7, "user_config": "a", "context_window_fallback_dict": ["a"]}, ("a",)),
        ({"models": 7}, ()),
        ({"preset": "dear", "model": "a"}, ("@preset/dear",)),
        ({"preset": "@preset/dear"}, ("@preset/dear",)),
        ({"model": "a@preset/dear"}, ("@preset/dear",)),
        ({"model": "openrouter/@preset/dear"}, ("@preset/dear",)),
        ({"preset": {"a": 1}}, ()),
    ],
)
def test_every_form_of_naming_them_is_read(body: Mapping[str, Any], names: tuple[str, ...]) -> None:
    assert named_models(body) == names


def test_more_than_anybody_needs_are_refused() -> None:
    assert len(named_models({"models": [str(number) for number in range(32)]})) == 32
    with pytest.raises(InvalidRequest, match="at most 32"):
        named_models({"models": [str(number) for number in range(33)]})


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"plugins": [{"id": "fusion"}]}, ("openrouter/fusion",)),
        ({"plugins": [{"id": "fusion", "analysis_models": ["a"], "model": "b"}]}, ("openrouter/fusion", "a", "b")),
        ({"plugins": [{"id": "auto-router", "allowed_models": ["a/*"]}]}, ("a/*",)),
        ({"plugins": [{"id": "new", "how": [{"judge_model": {"model": "a"}}]}]}, ("openrouter/new", "a")),
        ({"tools": [{"type": "openrouter:advisor", "parameters": {"model": "a"}}]}, ("openrouter/advisor", "a")),
    ],
)
def test_what_helps_with_an_answer_asks_models_too(body: Mapping[str, Any], names: tuple[str, ...]) -> None:
    assert named_models(body) == names
    assert asks_several(body)


@pytest.mark.parametrize(
    "body",
    [
        {"plugins": [{"id": "web", "engine": "exa"}, {"id": "file-parser", "pdf": {"engine": "native"}}]},
        {"tools": [{"type": "openrouter:web_search", "parameters": {"max_results": 3}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"model": "a"}}}, "x", {"type": None}]},
        {"plugins": "fusion", "tools": {"type": "openrouter:fusion"}},
        {"models": ["a"], "preset": "b"},
    ],
)
def test_what_asks_no_other_model_is_let_be(body: Mapping[str, Any]) -> None:
    assert not asks_several(body)


@pytest.mark.parametrize(
    "field", ["Model", "MODELS", "model\u017f", "max_To\u212aens", "N", "Fallbacks", "PreSet", "Service_Tier"]
)
def test_a_field_that_some_server_takes_for_one_that_decides_is_refused(field: str) -> None:
    with pytest.raises(InvalidRequest, match="is spelled") as refused:
        named_models({"model": "cheap", field: "dear"})
    assert refused.value.param == field


@pytest.mark.parametrize("field", ["model", "MAX_TOKENS", "fallbacks", "deployment_id", "user_config"])
def test_what_is_laid_over_a_request_on_its_way_decides_nothing(field: str) -> None:
    with pytest.raises(InvalidRequest, match="extra_body"):
        named_models({"model": "cheap", "extra_body": {field: "dear"}})
    assert named_models({"model": "cheap", "extra_body": {"top_k": 3}}) == ()
    assert named_models({"model": "cheap", "extra_body": "text"}) == ()
