"""What the configuration may change in the catalogue."""

from datetime import date
from pathlib import Path

import pytest

from config.loader import load
from config.settings import ModelSettings
from core.catalogue import Catalogue, load_catalogue
from core.catalogue_changes import changed
from schemas.model import ModelInfo, Price

ROOT = Path(__file__).resolve().parents[3]
BIG = ModelInfo(
    "Big-1",
    "maker",
    1000,
    100,
    {"glm": "big", "glm-web": "BIG"},
    aliases=("big", "large"),
    abilities=frozenset({"streaming", "thinking"}),
    thinking="switch",
    created=5,
    prices=(Price(date(2026, 1, 1), input=1.0),),
    refuses=frozenset({"stop"}),
    min_cacheable=64,
)
SMALL = ModelInfo("small-1", "maker", 10, 1, {"glm": "small"}, aliases=("small",))


def with_changes(**settings: dict) -> Catalogue:
    """The two models after changes; `_` in a name stands for `-`."""
    given = {name.replace("_", "-"): ModelSettings.model_validate(entry) for name, entry in settings.items()}
    return Catalogue(changed([BIG, SMALL], given))


def test_nothing_said_changes_nothing():
    assert with_changes().models == (BIG, SMALL)
    assert with_changes(Big_1={}).models == (BIG, SMALL)


def test_what_is_given_takes_the_place_of_what_was_known_and_the_rest_stays():
    catalogue = with_changes(
        Big_1={
            "owner": "me",
            "context": 7,
            "max_output": 6,
            "min_cacheable": 0,
            "efforts": ["low", "high"],
            "refuses": ["seed"],
            "prices": [{"since": date(2026, 2, 2), "input": 9, "cached": 1, "output": 8, "write_short": 2, "above": 3}],
        }
    )
    model = catalogue.find("big-1")
    assert (model.owner, model.context, model.max_output, model.min_cacheable) == ("me", 7, 6, 0)
    assert (model.refuses, model.efforts) == ({"seed"}, ("low", "high"))
    assert model.prices == (Price(date(2026, 2, 2), 9.0, 1.0, 8.0, 2.0, None, 3),)
    assert (model.id, model.created, model.thinking, model.abilities) == ("Big-1", 5, "switch", BIG.abilities)
    assert (model.upstream, model.aliases) == (BIG.upstream, BIG.aliases)


def test_a_price_without_a_day_has_always_held():
    model = with_changes(Big_1={"prices": [{"input": 3}]}).find("big")
    assert model.price_on(date(2000, 1, 1)).input == 3


def test_prices_of_providers_are_added_to_the_one_there_is():
    own = {"provider": "box", "input": 3}
    kept, new = with_changes(Big_1={"prices": [own]}), with_changes(Big_1={"prices": [own, {"input": 4}]})
    assert [(one.provider, one.input) for one in kept.find("big").prices][-1] == ("box", 3)
    assert kept.find("big").prices[:-1] == BIG.prices
    assert [(one.provider, one.input) for one in new.find("big").prices] == [("box", 3), (None, 4)]


def test_names_are_added_to_those_there_are():
    model = with_changes(Big_1={"aliases": ["huge"], "upstream": {"local": "b", "glm": "big-new"}}).find("HUGE")
    assert model.aliases == ("big", "large", "huge")
    assert model.upstream == {"glm": "big-new", "glm-web": "BIG", "local": "b"}


@pytest.mark.parametrize("name", ["Big-1", "BIG-1", "large"])
def test_a_model_is_meant_by_any_of_its_names(name):
    catalogue = Catalogue(changed([BIG, SMALL], {name: ModelSettings(context=3)}))
    assert [model.context for model in catalogue.models] == [3, 10]
    assert catalogue.find(name).id == "Big-1"


@pytest.mark.parametrize(
    ("entry", "thinking", "abilities"),
    [
        ({"thinking": "none"}, "none", {"streaming"}),
        ({"thinking": "effort"}, "effort", {"streaming", "thinking"}),
        ({"abilities": ["tools"]}, "switch", {"tools"}),
        ({"abilities": ["tools", "thinking"], "thinking": "none"}, "none", {"tools", "thinking"}),
    ],
)
def test_abilities_follow_thinking_unless_they_are_given(entry, thinking, abilities):
    model = with_changes(Big_1=entry).find("big")
    assert (model.thinking, model.abilities) == (thinking, abilities)


def test_a_new_model_comes_last_and_can_what_nearly_every_one_can():
    model = with_changes(Mine_1={"upstream": {"local": "m"}}).models[-1]
    assert (model.id, model.upstream, model.thinking) == ("Mine-1", {"local": "m"}, "none")
    assert model.abilities == {"streaming", "tools", "json_object"}
    assert (model.context, model.max_output, model.prices, model.refuses) == (0, 0, (), frozenset())


def test_a_new_model_that_thinks_is_able_to():
    assert "thinking" in with_changes(mine={"thinking": "effort"}).find("mine").abilities


def test_a_name_may_stand_for_a_known_model_or_a_new_one():
    catalogue = with_changes(fast={"alias_of": "SMALL"}, mine={"aliases": ["m"]}, ours={"alias_of": "m"})
    assert catalogue.find("fast").id == "small-1"
    assert catalogue.find("ours").id == "mine"
    assert len(catalogue.models) == 3


def test_an_alias_that_was_another_models_is_taken_from_it():
    for catalogue in (with_changes(large={"alias_of": "small-1"}), with_changes(small_1={"aliases": ["Large"]})):
        assert catalogue.find("large").id == "small-1"
        assert catalogue.find("Big-1").aliases == ("big",)


@pytest.mark.parametrize("settings", [{"Big_1": {"alias_of": "small"}}, {"small_1": {"aliases": ["BIG-1"]}}])
def test_an_id_given_to_another_model_leads_there_and_its_own_model_is_gone(settings):
    catalogue = with_changes(**settings)
    assert [model.id for model in catalogue.models] == ["small-1"]
    assert catalogue.find("big-1").id == "small-1"
    assert catalogue.find("large") is None


def test_an_alias_that_stands_already_may_be_said_again():
    assert with_changes(big={"alias_of": "Big-1"}).find("big").aliases == ("large", "big")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fast": {"alias_of": "nope"}}, "models.fast.alias_of: no model is called nope"),
        ({"a": {"aliases": ["x"]}, "b": {"aliases": ["X"]}}, "the name x is given to two models"),
        ({"a": {"aliases": ["b"]}, "b": {}}, "the name b is given to two models"),
        ({"a": {"alias_of": "b"}, "b": {"alias_of": "a"}}, "models.a.alias_of: no model is called b"),
        ({"a": {"alias_of": "Big-1"}, "Big_1": {"alias_of": "small"}}, "a cannot stand for big-1, which stands for"),
        ({"Big_1": {"alias_of": "small"}, "a": {"alias_of": "large"}}, "a cannot stand for big-1, which stands for"),
    ],
)
def test_names_that_contradict_each_other_are_told(settings, said):
    with pytest.raises(ValueError, match=r"^models") as raised:
        with_changes(**settings)
    assert said in str(raised.value)


def test_the_shipped_models_can_be_changed_too():
    catalogue = load_catalogue({"glm-4.7": ModelSettings(aliases=("gpt-4o",)), "mine": ModelSettings(owner="me")})
    assert catalogue.find("GPT-4o").id == "glm-4.7"
    assert catalogue.models[-1].id == "mine"
    assert len(catalogue.models) == len(load_catalogue().models)


def test_what_the_full_example_says_of_models_holds(tmp_path):
    settings = load({"CONFIG_FILE": str(ROOT / "config" / "examples" / "full.yaml")}, tmp_path)
    catalogue = load_catalogue(settings.models)
    assert catalogue.find("ours").upstream == {"local": "our-model-v2"}
    assert catalogue.find("fast").id == "glm-4.5-air"
