"""What is said at the start of the providers that answer."""

from config.banner import banner
from config.settings import ProviderSettings, Settings

OTHERS = {
    "ollama": {"kind": "ollama"},
    "open": {"kind": "openai-compatible", "base_url": "https://me:hush@h/v1", "auth": "passthrough"},
}


def lines(**counts: int) -> list[str]:
    more = {name: ProviderSettings.model_validate(entry) for name, entry in OTHERS.items()}
    settings = Settings(providers={**Settings().providers, **more})
    text = banner(settings, {name.replace("_", "-"): count for name, count in counts.items()}, simulated=False)
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
