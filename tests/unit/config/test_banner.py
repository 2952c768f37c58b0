"""What is said at the start of the providers that answer."""

import pytest
from pydantic import SecretStr

from config.banner import access_lines, banner
from config.settings import AccessSettings, ApiKeySettings, JwtSettings, ProviderSettings, Settings

OTHERS = {
    "ollama": {"kind": "ollama"},
    "open": {"kind": "openai-compatible", "base_url": "https://me:hush@h/v1", "auth": "passthrough"},
}


def lines(**counts: int) -> list[str]:
    more = {name: ProviderSettings.model_validate(entry) for name, entry in OTHERS.items()}
    settings = Settings(providers={**Settings().providers, **more})
    answering = {name.replace("_", "-"): count for name, count in counts.items()}
    text = banner(settings, answering, "open", simulated=False)
    return [line.strip() for line in text.splitlines() if line.startswith("  Provider")]


def test_every_provider_that_can_answer_is_listed_with_its_keys():
    assert lines(glm=2, glm_web=1, anthropic=1) == [
        "Provider glm: 2 keys for https://api.z.ai/api/paas/v4/chat/completions",
        "Provider glm-web: 1 key for https://chat.z.ai/api/chat/completions",
        "Provider anthropic: 1 key for https://api.anthropic.com",
    ]


def test_a_provider_without_keys_of_its_own_says_so():
    assert lines(ollama=1, open=1) == [
        "Provider ollama: no key for http://localhost:11434",
        "Provider open: the callers' own keys for https://me:********@h/v1",
    ]


def test_nothing_is_listed_that_cannot_answer():
    assert lines() == []


# Who may ask

SECRET = "gw-secret"
ONE_KEY = AccessSettings(keys=(ApiKeySettings(name="a", key=SecretStr("k")),))
TOKENS = AccessSettings(jwt=JwtSettings(secret=SecretStr("s" * 32)))


def access(settings=None, **doors):
    return access_lines(Settings(access=settings or AccessSettings()), **doors)


def test_an_open_gateway_says_so_and_shows_the_owners_key_once():
    assert access() == "open to this machine, closed to all others, as no key is configured or made"
    first, again = access(secret=SECRET, owner=True), access(owner=True)
    assert access() in first
    assert SECRET in first
    assert "ADMIN" in first
    assert access() in again
    assert "shown at the first start" in again


@pytest.mark.parametrize(
    ("settings", "doors", "said"),
    [
        (ONE_KEY, {}, "by key (1 configured)"),
        (ONE_KEY, {"made": 2, "shut": True}, "by key (1 configured) and by key (2 made)"),
        (TOKENS, {}, "by signed tokens (JWT)"),
        (AccessSettings(), {"made": 3, "shut": True, "owner": True}, "by key (3 made)"),
        (AccessSettings(), {"shut": True}, "by key, and no active one is left: python app.py keys create NAME"),
        (AccessSettings(), {"known": False}, "by stored keys, which cannot be read now"),
    ],
)
def test_a_gateway_that_wants_keys_says_which(settings, doors, said):
    assert access(settings, **doors) == said


@pytest.mark.parametrize("needs_key", [True, False])
def test_the_examples_work_as_they_stand(needs_key):
    text = banner(Settings(), {}, "", simulated=True, needs_key=needs_key)
    assert ("Authorization: Bearer YOUR_KEY" in text) == needs_key
    assert ('api_key="any"' in text) != needs_key
