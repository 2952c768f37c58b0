"""What the configuration may say of routes and circuits, and how its mistakes are told."""

from pathlib import Path
from typing import Any

import pytest

from config.loader import ConfigurationError, describe, load

RULES = """
routes:
  - name: long
    match: {prompt_tokens: {above: 1000}, headers: {x-team: "a*"}, callers: [alice], models: [glm-*], tools: true}
    targets: [{model: glm-4.6, weight: 3}, {model: openai/gpt-5.4}]
    fallbacks: [glm-4.5-air]
    context_fallback: glm-4.7
    strict: true
  - name: default
circuit: {failures: 2, open_seconds: 1}
"""


def written(tmp_path: Path, text: str) -> Any:
    (tmp_path / "gateway.yaml").write_text(text)
    return load({}, tmp_path)


def mistakes(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        written(tmp_path, text)
    return str(raised.value)


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    settings = written(tmp_path, RULES)
    long, default = settings.routes
    assert (long.name, default.name) == ("long", "default")
    assert [(target.model, target.weight) for target in long.targets] == [("glm-4.6", 3), ("openai/gpt-5.4", 1)]
    assert (long.match.prompt_tokens.above, long.match.prompt_tokens.below) == (1000, None)
    assert default.targets == ()
    assert (settings.circuit.failures, settings.circuit.max_open_seconds) == (2, 300)


def test_without_a_word_there_are_no_rules(tmp_path: Path) -> None:
    assert written(tmp_path, "").routes == ()


def test_what_is_in_effect_is_shown_with_the_rules_and_can_be_loaded_again(tmp_path: Path) -> None:
    settings = written(tmp_path, RULES)
    text = describe(settings)
    assert "context_fallback: glm-4.7" in text
    assert "open_seconds: 1.0" in text
    assert written(tmp_path, text) == settings


def test_rules_may_be_one_variable(tmp_path: Path) -> None:
    settings = load({"GATEWAY__ROUTES": '[{"name": "a", "fallbacks": ["glm-4.6"]}]'}, tmp_path)
    assert settings.routes[0].fallbacks == ("glm-4.6",)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{name: a, match: {tools: perhaps}}", "routes[0].match.tools: 'perhaps' is not true or false"),
        ("{name: a, match: {model: x}}", "routes[0].match.model"),
        ("{name: a, targets: [{model: x, weight: -1}]}", "routes[0].targets[0].weight: -1 is not a number, at least 0"),
        ("{name: a, targets: [{model: x, weight: 0}]}", "all targets have the weight 0"),
        ("{name: a, match: {prompt_tokens: {above: 9, below: 10}}}", "no size is above 9 and below 10"),
        ("{match: {}}", "routes[0].name: is required"),
        ("{name: a, fallbacks: glm}", "routes[0].fallbacks: 'glm' is not a list"),
        ("{name: a, match: {stream: true}}, {name: a}", "two routes are called 'a'"),
        ("{name: a}, {name: b}", "'a' matches every request, so 'b' is never reached"),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_place(tmp_path: Path, rule: str, told: str) -> None:
    assert told in mistakes(tmp_path, f"routes: [{rule}]")


@pytest.mark.parametrize(
    ("circuit", "told"),
    [
        ("{failures: 0}", "circuit.failures: 0 is not a whole number, at least 1"),
        ("{failure_share: 2}", "circuit.failure_share: 2 is not a number"),
        ("{open_seconds: 9, max_open_seconds: 1}", "max_open_seconds must not be below open_seconds"),
    ],
)
def test_a_mistake_in_the_circuit_is_told_with_its_place(tmp_path: Path, circuit: str, told: str) -> None:
    assert told in mistakes(tmp_path, f"circuit: {circuit}")
