"""What the catalogue promises of its models."""

from datetime import UTC, date, datetime

import pytest

from config.settings import Settings
from core.catalogue import load_catalogue

TODAY = date(2026, 11, 21)
VISION = {"glm-5.3-flash", "glm-5v-turbo"}


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


@pytest.mark.parametrize("name", ["glm-4.5", "GLM-4.5", "0727-360B-API", "0727-360b-api"])
def test_a_model_is_found_by_id_and_alias_in_any_case(catalogue, name):
    assert catalogue.find(name).id == "glm-4.5"


def test_an_unknown_name_finds_nothing_but_its_neighbours(catalogue):
    assert catalogue.find("gml-4.5") is None
    assert catalogue.near("gml-4.5")[0] == "glm-4.5"
    assert catalogue.near("GLM-5.4", limit=2) == catalogue.near("glm-5.4")[:2]
    assert catalogue.near("qqqq") == []


def test_neighbours_are_ids_named_once(catalogue):
    near = catalogue.near("0727-360B", limit=3)
    assert near[0] == "glm-4.5"
    assert len(near) == len(set(near)) <= 3


def test_the_default_model_is_known_at_both_providers(catalogue):
    model = catalogue.find(Settings().default_model)
    assert model.upstream == {"glm": "glm-4.5", "glm-anthropic": "glm-4.5", "glm-web": "0727-360B-API"}


def test_every_name_that_a_provider_uses_finds_its_model(catalogue):
    for model in catalogue.models:
        assert all(catalogue.find(name) is model for name in model.upstream.values()), model.id


@pytest.mark.parametrize(
    ("name", "control"),
    [("glm-4.5", "switch"), ("glm-5.2", "effort"), ("glm-5.3-flash", "forced"), ("glm-4-32b-0414-128k", "none")],
)
def test_thinking_is_steered_as_the_model_allows(catalogue, name, control):
    assert catalogue.find(name).thinking == control


def test_a_model_without_thinking_says_so_twice(catalogue):
    assert all(("thinking" in model.abilities) == (model.thinking != "none") for model in catalogue.models)


def test_only_those_of_glms_models_that_take_pictures_have_vision(catalogue):
    seeing = {model.id for model in catalogue.models if model.owner == "z-ai" and "vision" in model.abilities}
    assert seeing == VISION | {model.id for model in catalogue.models if ".5v" in model.id or ".6v" in model.id} | {
        model.id for model in catalogue.models if ".1v" in model.id
    }


def test_a_price_holds_from_its_day_on(catalogue):
    model = catalogue.find("glm-4.6")
    assert model.price_on(date(2025, 9, 29)) is None
    price = model.price_on(TODAY)
    assert (price.input, price.cached, price.output) == (0.60, 0.11, 2.20)


def test_free_is_zero_and_unknown_is_none(catalogue):
    free, unknown = catalogue.find("glm-4.5-flash").price_on(TODAY), catalogue.find("glm-4.5-x").price_on(TODAY)
    assert (free.input, free.cached, free.output) == (0, 0, 0)
    assert unknown.cached is None


def test_no_model_answers_more_than_its_context_holds(catalogue):
    known = [model for model in catalogue.models if model.context and model.max_output]
    assert len(known) > 70
    assert all(0 < model.max_output <= model.context for model in known)


def test_created_is_the_day_of_release(catalogue):
    assert catalogue.find("glm-4.5").created == datetime(2025, 7, 28, tzinfo=UTC).timestamp()


ROW = "{id: a, owner: o, context: 2, max_output: 1, upstream: {glm: a}"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (f"[{ROW}}}, {ROW}, max_output: 1}}]", "max_output"),
        (f"[{ROW}, kolor: red}}]", "unknown kolor"),
        (f"[{ROW}, thinking: loud}}]", "thinking"),
        ("[{id: a}]", "owner"),
        ("5", "models.yaml"),
        ("[5]", "models.yaml"),
        ("[", "models.yaml"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, rows, said):
    (tmp_path / "models.yaml").write_text(f"models: {rows}")
    with pytest.raises(ValueError, match=r"models\.yaml") as raised:
        load_catalogue(folder=tmp_path)
    assert said in str(raised.value)


def test_a_name_that_two_models_have_is_a_mistake_even_over_two_files(tmp_path):
    (tmp_path / "a.yaml").write_text(f"models: [{ROW}}}]")
    (tmp_path / "b.yaml").write_text("models: [{id: b, owner: o, upstream: {}, aliases: [A]}]")
    with pytest.raises(ValueError, match="two models of the catalogue are called A"):
        load_catalogue(folder=tmp_path)
    (tmp_path / "b.yaml").write_text("models: [{id: a, owner: p, upstream: {}}]")
    with pytest.raises(ValueError, match="two models of the catalogue are called a"):
        load_catalogue(folder=tmp_path)


def test_a_row_has_what_its_files_defaults_say_unless_it_says_otherwise(tmp_path):
    rows = "[{id: a, upstream: {}}, {id: b, upstream: {}, owner: p, context: 5}]"
    (tmp_path / "a.yaml").write_text(f"defaults: {{owner: o, thinking: effort}}\nmodels: {rows}")
    a, b = load_catalogue(folder=tmp_path).models
    assert (a.owner, a.thinking, a.context, a.max_output) == ("o", "effort", 0, 0)
    assert (b.owner, b.thinking, b.context) == ("p", "effort", 5)


def test_glms_models_come_first_then_the_files_by_name(tmp_path):
    for name in ("b", "a", "glm"):
        (tmp_path / f"{name}.yaml").write_text(f"models: [{{id: {name}, owner: o, upstream: {{}}}}]")
    assert [model.id for model in load_catalogue(folder=tmp_path).models] == ["glm", "a", "b"]
