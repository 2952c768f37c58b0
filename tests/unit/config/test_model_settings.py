"""What may be said of models, and which model answers for a name nobody serves."""

from datetime import date
from pathlib import Path

import pytest

from config.loader import ConfigurationError, describe, load
from config.settings import Settings


def loaded(tmp_path: Path, yaml: str, **environ: str) -> Settings:
    (tmp_path / "gateway.yaml").write_text(yaml, encoding="utf-8")
    return load(environ, tmp_path)


def problem(tmp_path: Path, yaml: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, yaml)
    (line,) = raised.value.problems
    return line


MODEL = """
models:
  our.model:
    aliases: [ours]
    owner: us
    context: 1000
    max_output: 100
    abilities: [streaming, tools]
    thinking: effort
    upstream: {local: our-v2}
    prices: [{since: 2026-01-02, input: 1, output: 2.5, above: 200000}, {input: 0}]
    refuses: [stop, tool_choice.required]
    min_cacheable: 0
    efforts: [low, high]
  fast: {alias_of: glm-4.5-air}
"""


def test_a_model_may_be_described_in_full(tmp_path):
    model = loaded(tmp_path, MODEL).models["our.model"]
    assert (model.aliases, model.owner, model.context, model.max_output) == (("ours",), "us", 1000, 100)
    assert (model.abilities, model.thinking, model.upstream) == (("streaming", "tools"), "effort", {"local": "our-v2"})
    assert (model.refuses, model.min_cacheable, model.efforts) == (("stop", "tool_choice.required"), 0, ("low", "high"))
    later, always = model.prices
    assert (later.since, later.input, later.output, later.cached, later.above) == (
        date(2026, 1, 2),
        1,
        2.5,
        None,
        200000,
    )
    assert (always.since, always.input, always.write_short, always.write_long) == (date(1970, 1, 1), 0, None, None)


def test_a_name_may_stand_for_another_model(tmp_path):
    assert loaded(tmp_path, MODEL).models["fast"].alias_of == "glm-4.5-air"


def test_what_is_shown_of_models_can_be_loaded_again(tmp_path):
    settings = loaded(tmp_path, MODEL)
    assert loaded(tmp_path, describe(settings)) == settings


def test_models_may_come_from_the_environment(tmp_path):
    given = {"GATEWAY__MODELS": '{"glm-4.7": {"prices": [{"since": "2026-01-01", "input": 9}]}}'}
    (price,) = loaded(tmp_path, "", **given).models["glm-4.7"].prices
    assert (price.since, price.input) == (date(2026, 1, 1), 9)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{context: 0}", "models.m.context: 0 is not a whole number, at least 1"),
        ("{max_output: many}", "models.m.max_output: 'many' is not a whole number, at least 1"),
        ("{min_cacheable: -1}", "models.m.min_cacheable: -1 is not a whole number, at least 0"),
        ("{abilities: [fly]}", "models.m.abilities[0]: 'fly' is not one of streaming, tools"),
        ("{efforts: [hard]}", "models.m.efforts[0]: 'hard' is not one of none, minimal, low, medium, high, xhigh, max"),
        ("{thinking: hard}", "models.m.thinking: 'hard' is not one of none, switch, effort, budget, adaptive, forced"),
        ("{aliases: ['']}", "models.m.aliases[0]: '' is not a text that is not empty"),
        ("{upstream: {a: ''}}", "models.m.upstream.a: '' is not a text that is not empty"),
        ("{prices: [{input: -1}]}", "models.m.prices[0].input: -1 is not a number, at least 0"),
        ("{prices: [{output: .inf}]}", "models.m.prices[0].output: inf is not a number, at least 0"),
        ("{prices: [{since: soon}]}", "models.m.prices[0].since: 'soon' is not a day such as 2026-11-21"),
        ("{prices: [{inptu: 1}]}", "models.m.prices[0].inptu: is no setting (did you mean input?)"),
        ("{kontext: 1}", "models.m.kontext: is no setting (did you mean context?)"),
        ("{alias_of: glm-5, context: 5}", "(models.m): a model with alias_of has no other settings"),
        ("5", "models.m: 5 is not a group with the settings alias_of, aliases"),
    ],
)
def test_a_mistake_about_a_model_is_told_with_its_place(tmp_path, model, said):
    assert said in problem(tmp_path, f"models: {{m: {model}}}")


def test_a_map_of_ones_own_takes_the_place_of_the_usual_one(tmp_path):
    settings = loaded(tmp_path, "model_map: {'gpt-*': glm-5, '*': glm-4.7}")
    assert list(settings.model_map.items()) == [("gpt-*", "glm-5"), ("*", "glm-4.7")]
    assert loaded(tmp_path, "model_map: {}").model_map == {}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ("{'': glm-5}", "model_map: an empty pattern fits no model"),
        ("{'gpt-*': 'glm-*'}", "model_map: gpt-* must lead to the name of one model, without *"),
        ("{'gpt-*': ''}", "model_map.gpt-*: '' is not a text that is not empty"),
        ("[a]", "model_map: a list is not a mapping of names to settings"),
    ],
)
def test_a_mistake_in_the_map_is_told(tmp_path, pairs, said):
    assert said in problem(tmp_path, f"model_map: {pairs}").replace("gateway.yaml (model_map)", "model_map")
