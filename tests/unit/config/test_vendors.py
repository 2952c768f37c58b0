"""Every kind of provider, and what sets up its instances."""

from pathlib import Path
from typing import get_args

import pytest

from config.loader import ConfigurationError, load
from config.settings import ProviderSettings, Settings
from config.vendors import VENDORS, Kind

PROMISED = {
    "GLM": "glm",
    "ANTHROPIC": "anthropic",
    "OPENAI": "openai",
    "GROQ": "groq",
    "GROK": "grok",
    "GEMINI": "gemini",
    "OHMYGPT": "ohmygpt",
    "DEEPSEEK": "deepseek",
    "OPENROUTER": "openrouter",
}
ADDRESSED = {name: kind for name, kind in PROMISED.items() if name != "GLM"} | {"OLLAMA": "ollama"}


@pytest.fixture
def configured(tmp_path: Path):
    def load_one(yaml: str = "", **environ: str) -> Settings:
        (tmp_path / "gateway.yaml").write_text(yaml, encoding="utf-8")
        return load(environ, tmp_path)

    return load_one


def problems(configured, yaml: str = "", **environ: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        configured(yaml, **environ)
    return "\n".join(raised.value.problems)


def keys(provider: ProviderSettings) -> list[str]:
    return [key.get_secret_value() for key in provider.api_keys]


def test_the_table_has_every_kind_under_its_own_name():
    assert tuple(VENDORS) == get_args(Kind)
    assert all(vendor.kind == kind for kind, vendor in VENDORS.items())


@pytest.mark.parametrize(("name", "instance"), PROMISED.items())
def test_keys_of_a_vendor_come_from_its_variable_separated_by_commas(configured, name, instance):
    assert keys(configured(**{f"{name}_API_KEY": "k1, k2"}).providers[instance]) == ["k1", "k2"]


@pytest.mark.parametrize(("name", "instance"), ADDRESSED.items())
def test_the_address_of_a_vendor_has_a_variable(configured, name, instance):
    provider = configured(**{f"{name}_BASE_URL": "https://proxy.example/x"}).providers[instance]
    assert (provider.kind, provider.base_url) == (instance, "https://proxy.example/x")


def test_ollama_is_there_once_its_address_is_set_and_needs_no_key(configured):
    assert "ollama" not in configured().providers
    ollama = configured(OLLAMA_BASE_URL="http://10.0.0.5:11434").providers["ollama"]
    assert (ollama.auth, ollama.api_keys, ollama.enabled) == ("none", (), True)


def test_ollama_is_there_once_the_file_says_anything_of_it(configured):
    ollama = configured("providers: {ollama: {timeout: 5}}").providers["ollama"]
    assert (ollama.base_url, ollama.auth, ollama.timeout) == ("http://localhost:11434", "none", 5)


def test_ollama_with_a_key_sends_it(configured):
    settings = configured("providers: {ollama: {api_key: k, base_url: 'https://ollama.com'}}")
    assert (settings.providers["ollama"].auth, keys(settings.providers["ollama"])) == ("bearer", ["k"])


@pytest.mark.parametrize("kind", [kind for kind, vendor in VENDORS.items() if vendor.base_url])
def test_an_instance_of_any_name_has_the_address_of_its_kind(configured, kind):
    provider = configured(f"providers: {{mine: {{kind: {kind}}}}}").providers["mine"]
    assert (provider.kind, provider.base_url) == (kind, VENDORS[kind].base_url)


@pytest.mark.parametrize("kind", [kind for kind, vendor in VENDORS.items() if vendor.base_url is None])
def test_a_kind_without_an_address_demands_one(configured, kind):
    said = problems(configured, f"providers: {{mine: {{kind: {kind}}}}}")
    assert "(providers.mine.base_url): is required, and must be a URL that starts with http" in said
    assert configured(f"providers: {{mine: {{kind: {kind}, base_url: 'http://h'}}}}").providers["mine"].kind == kind


@pytest.mark.parametrize("kind", VENDORS)
def test_an_instance_that_is_called_like_a_kind_is_of_that_kind(configured, kind):
    assert configured(f"providers: {{{kind}: {{base_url: 'http://h'}}}}").providers[kind].kind == kind


def test_an_instance_of_another_kind_than_its_name_says_has_nothing_of_what_that_stands_for(configured):
    web = configured("providers: {glm-web: {kind: groq}}").providers["glm-web"]
    assert (web.kind, web.base_url, web.token_file) == ("groq", "https://api.groq.com/openai/v1", None)


def test_glm_and_its_site_come_first_then_the_others_then_those_of_the_file(configured):
    settings = configured("providers: {mine: {kind: glm}, groq: {timeout: 1}}", OPENAI_API_KEY="k")
    assert list(settings.providers)[:3] == ["glm", "glm-web", "anthropic"]
    assert list(settings.providers)[-2:] == ["openrouter", "mine"]


def test_a_kind_is_spelled_with_underscores_in_a_variable(configured):
    settings = configured(GATEWAY__PROVIDERS__GLM_ANTHROPIC__API_KEY="k")
    assert keys(settings.providers["glm-anthropic"]) == ["k"]
    assert settings.providers["glm-anthropic"].base_url == "https://api.z.ai/api/anthropic"


def test_the_variable_of_a_path_wins_over_a_vendors_own(configured):
    both = {"OPENAI_BASE_URL": "http://a", "GATEWAY__PROVIDERS__OPENAI__BASE_URL": "http://b"}
    assert configured(**both).providers["openai"].base_url == "http://b"


def test_an_unknown_kind_is_told_with_those_there_are(configured):
    said = problems(configured, "providers: {mine: {kind: gtp, base_url: 'http://h'}}")
    assert f"providers.mine.kind: 'gtp' is not one of {', '.join(VENDORS)}" in said
