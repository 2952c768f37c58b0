"""A provider's address that is the gateway's own."""

from pathlib import Path

import pytest

from config.loader import ConfigurationError, load

BACK = "http://127.0.0.1:8976/v1"


def problems(tmp_path: Path, yaml: str = "", **environ: str) -> list[str]:
    (tmp_path / "gateway.yaml").write_text(yaml, encoding="utf-8")
    try:
        load(environ, tmp_path)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def test_a_variable_meant_for_clients_is_told_with_what_to_do(tmp_path):
    (line,) = problems(tmp_path, OPENAI_BASE_URL=BACK)
    assert line == (
        f"OPENAI_BASE_URL (providers.openai.base_url): {BACK} is this gateway's own address; unset the variable "
        "for the gateway, or give the provider's in GATEWAY__PROVIDERS__OPENAI__BASE_URL, which wins over it"
    )


def test_that_advice_works(tmp_path):
    good = {"GATEWAY__PROVIDERS__OPENAI__BASE_URL": "https://api.openai.com/v1"}
    assert problems(tmp_path, OPENAI_BASE_URL=BACK, **good) == []


def test_the_address_of_a_key_is_looked_at_too(tmp_path):
    keys = f"[{{key: k}}, {{key: l, base_url: '{BACK}'}}]"
    (line,) = problems(tmp_path, f"providers: {{glm: {{keys: {keys}}}}}")
    assert line == (
        f"gateway.yaml: providers.glm.keys[1].base_url: {BACK} is this gateway's own address; write the provider's"
    )


def test_each_such_address_is_told_with_its_place(tmp_path):
    yaml = f"providers: {{mine: {{kind: openai-compatible, base_url: '{BACK}'}}}}"
    (tmp_path / ".env").write_text("OLLAMA_BASE_URL=http://localhost:8976\n")
    told = problems(tmp_path, yaml, ANTHROPIC_BASE_URL="http://[::1]:8976")
    assert [line.partition(": ")[0] for line in told] == [
        "ANTHROPIC_BASE_URL (providers.anthropic.base_url)",
        "gateway.yaml",
        "OLLAMA_BASE_URL in .env (providers.ollama.base_url)",
    ]
    assert told[1].endswith(
        "providers.mine.base_url: http://127.0.0.1:8976/v1 is this gateway's own address; write the provider's"
    )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "x.localhost", "127.1.2.3", "[::1]", "0.0.0.0", "[::]"])
@pytest.mark.parametrize("here", ["0.0.0.0", "::", "127.0.0.1", "localhost"])
def test_this_machine_has_many_names(tmp_path, host, here):
    assert problems(tmp_path, HOST=here, PORT="81", OPENAI_BASE_URL=f"http://{host}:81/v1")


def test_the_usual_port_of_a_scheme_need_not_be_written(tmp_path):
    assert problems(tmp_path, PORT="80", OPENAI_BASE_URL="http://localhost/v1")
    assert problems(tmp_path, PORT="443", OPENAI_BASE_URL="https://localhost/v1")
    assert not problems(tmp_path, PORT="80", OPENAI_BASE_URL="https://localhost/v1")


def test_the_host_that_is_listened_on_counts(tmp_path):
    assert problems(tmp_path, HOST="10.0.0.5", OPENAI_BASE_URL="http://10.0.0.5:8976")
    assert problems(tmp_path, HOST="Gateway.Example", OPENAI_BASE_URL="http://gateway.example:8976")


@pytest.mark.parametrize(
    ("url", "environ"),
    [
        ("http://127.0.0.1:8977/v1", {}),
        ("http://10.0.0.5:8976/v1", {}),
        ("http://localhost.example:8976/v1", {}),
        ("http://127.0.0.1:8976/v1", {"HOST": "10.0.0.5"}),
        ("http://127.0.0.1:8976/v1", {"GATEWAY__PROVIDERS__OPENAI__ENABLED": "false"}),
    ],
)
def test_other_addresses_are_nobodys_business(tmp_path, url, environ):
    assert problems(tmp_path, OPENAI_BASE_URL=url, **environ) == []


def test_a_secret_in_such_an_address_is_masked(tmp_path):
    (line,) = problems(tmp_path, OPENAI_BASE_URL="http://me:hush@localhost:8976/v1")
    assert "hush" not in line
