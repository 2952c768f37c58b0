"""The example files are configurations that load."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from config.loader import load
from config.settings import KeySettings, MatchSettings, ModelSettings, ProviderSettings, RouteSettings, Settings

EXAMPLES = Path(__file__).resolve().parents[3] / "config" / "examples"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_each_example_loads(file, tmp_path):
    settings = load({"CONFIG_FILE": str(file), "GLM_API_KEY": "a.b"}, tmp_path)
    assert [key.get_secret_value() for key in settings.providers["glm"].api_keys] == ["a.b"]


def test_there_are_a_minimal_and_a_full_example():
    assert {file.stem for file in EXAMPLES.glob("*.yaml")} >= {"minimal", "full"}


def test_the_full_example_shows_every_setting():
    shown = YAML(typ="safe", pure=True).load(EXAMPLES / "full.yaml")
    shown["logging"]["level"] = shown["log_level"]
    shown["server"] |= {"host": shown["listen_addr"], "port": shown["listen_addr"]}
    for name, field in Settings.model_fields.items():
        fields = getattr(field.annotation, "model_fields", {})
        assert set(shown[name]) >= set(fields) if fields else name in shown, name
    assert set(shown["routes"][0]) == set(RouteSettings.model_fields)
    assert set(shown["routes"][0]["match"]) == set(MatchSettings.model_fields)
    assert set(shown["providers"]["glm"]) == set(ProviderSettings.model_fields)
    assert set(shown["providers"]["glm-china"]["keys"][0]) == set(KeySettings.model_fields)
    assert set(shown["models"]["our-model"]) | set(shown["models"]["fast"]) == set(ModelSettings.model_fields)


def test_the_full_example_shows_the_defaults_where_there_are_some(tmp_path):
    shown, defaults = load({"CONFIG_FILE": str(EXAMPLES / "full.yaml")}, tmp_path), load({}, tmp_path)
    for group in ("stream", "retry", "tokens", "circuit"):
        assert getattr(shown, group) == getattr(defaults, group)
    assert (shown.default_model, shown.model_map) == (defaults.default_model, defaults.model_map)
    assert {name: shown.providers[name] for name in defaults.providers} == defaults.providers
