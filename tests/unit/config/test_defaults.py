"""The defaults that are promised to users, one row each."""

from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from config.loader import load

MEGABYTE = 1024 * 1024
PROMISED: dict[str, Any] = {
    "server.host": "0.0.0.0",
    "server.port": 8976,
    "server.data_dir": Path("data"),
    "workers": 1,
    "access.keys": (),
    "rate_limits.requests_per_minute": None,
    "tokens.strategy": "round_robin",
    "tokens.health_check_interval": 300,
    "stream.whole_timeout": 600,
    "default_model": "0727-360B-API",
    "models": {},
    "pipeline.content_filter.patterns": (),
    "logging.level": "INFO",
    "logging.file": None,
    "logging.max_bytes": 100 * MEGABYTE,
    "logging.backup_count": 5,
    "logging.prompts": False,
    "store.redis_url": None,
    "store.timeout": 0.2,
}
MODEL_MAP = [("claude-*haiku*", "glm-4.5-air"), ("claude-*", "glm-4.7")]
ADDRESSES = {
    "glm": "https://api.z.ai/api/paas/v4/chat/completions",
    "glm-web": "https://chat.z.ai/api/chat/completions",
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "grok": "https://api.x.ai/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "ohmygpt": "https://api.ohmygpt.com/v1",
    "deepseek": "https://api.deepseek.com",
    "openrouter": "https://openrouter.ai/api/v1",
}
PROVIDERS: dict[str, Any] = {
    "glm": {
        "kind": "glm",
        "base_url": "https://api.z.ai/api/paas/v4/chat/completions",
        "timeout": 120,
        "auth": "bearer",
        "token_file": None,
        "api_keys": (),
        "enabled": True,
    },
    "glm-web": {
        "kind": "glm-web",
        "base_url": "https://chat.z.ai/api/chat/completions",
        "timeout": 120,
        "token_file": Path("token.json"),
        "enabled": True,
    },
}


@pytest.mark.parametrize(("name", "value"), PROMISED.items())
def test_without_configuration_a_setting_is_as_promised(tmp_path: Path, name: str, value: Any) -> None:
    assert reduce(getattr, name.split("."), load({}, tmp_path)) == value


def test_claudes_models_lead_to_glm_in_the_promised_order(tmp_path: Path) -> None:
    assert list(load({}, tmp_path).model_map.items()) == MODEL_MAP


def test_the_promised_providers_are_there_in_their_order_with_no_key(tmp_path: Path) -> None:
    providers = load({}, tmp_path).providers
    assert [(name, provider.base_url) for name, provider in providers.items()] == list(ADDRESSES.items())
    for name, provider in providers.items():
        timeout = 120 if name.startswith("glm") else 300
        assert (provider.kind, provider.enabled, provider.timeout, provider.auth) == (name, True, timeout, "bearer")
        assert (provider.api_keys, provider.models, provider.strict) == ((), (), False)
        assert (provider.headers, provider.betas) == ({}, None)


def test_the_two_glm_providers_are_there_as_promised(tmp_path: Path) -> None:
    providers = load({}, tmp_path).providers
    for name, promised in PROVIDERS.items():
        assert {field: getattr(providers[name], field) for field in promised} == promised


def test_a_client_waits_at_most_fifteen_seconds_for_a_sign_of_life(tmp_path: Path) -> None:
    assert 0 < load({}, tmp_path).stream.keep_alive <= 15


def test_with_redis_there_are_four_workers(tmp_path: Path) -> None:
    assert load({"REDIS_URL": "redis://h"}, tmp_path).workers == 4
