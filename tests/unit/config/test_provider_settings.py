"""What a provider instance may be told, and what is refused with a sentence."""

from pathlib import Path

import pytest

from config.loader import ConfigurationError, describe, load

HUSH = "hush-hush"


def provider(tmp_path: Path, entry: str, **environ: str):
    (tmp_path / "gateway.yaml").write_text(f"providers: {{x: {entry}}}", encoding="utf-8")
    return load(environ, tmp_path).providers["x"]


def problems(tmp_path: Path, entry: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        provider(tmp_path, entry, **environ)
    return list(raised.value.problems)


def test_an_instance_takes_all_that_is_promised(tmp_path):
    entry = (
        "{kind: anthropic-compatible, base_url: 'https://h/a', auth: passthrough, strict: true, timeout: 9,"
        " betas: [a-2025-01-01, b-2025-01-01], models: [m, n], headers: {X-Team: blue, x-org: a b}}"
    )
    made = provider(tmp_path, entry)
    assert (made.auth, made.strict, made.timeout) == ("passthrough", True, 9)
    assert (made.betas, made.models) == (("a-2025-01-01", "b-2025-01-01"), ("m", "n"))
    assert {name: value.get_secret_value() for name, value in made.headers.items()} == {
        "X-Team": "blue",
        "x-org": "a b",
    }


@pytest.mark.parametrize("auth", ["bearer", "jwt", "passthrough", "none"])
def test_glm_takes_every_way_to_sign(tmp_path, auth):
    assert provider(tmp_path, f"{{kind: glm, auth: {auth}}}").auth == auth


@pytest.mark.parametrize("kind", ["glm-web", "glm-anthropic", "openai", "gemini"])
def test_a_signature_in_place_of_the_key_is_for_glm_only(tmp_path, kind):
    (line,) = problems(tmp_path, f"{{kind: {kind}, auth: jwt, api_key: k}}")
    assert line.startswith("gateway.yaml (providers.x): auth jwt is for the kind glm only, as no other takes")


@pytest.mark.parametrize("more", ["api_key: hush-hush", "token_file: t.json", "keys: [hush-hush]"])
@pytest.mark.parametrize(
    ("auth", "said"),
    [("passthrough", "auth passthrough sends what the caller signed with"), ("none", "auth none sends no key")],
)
def test_where_no_key_is_sent_none_may_be_configured(tmp_path, auth, said, more):
    (line,) = problems(tmp_path, f"{{kind: openai, auth: {auth}, {more}}}")
    assert line.startswith(f"gateway.yaml (providers.x): {said}: leave out api_keys, keys and token_file")
    assert HUSH not in line


def test_a_key_of_the_environment_counts_too(tmp_path):
    (tmp_path / "gateway.yaml").write_text("providers: {openai: {auth: passthrough}}")
    with pytest.raises(ConfigurationError) as raised:
        load({"OPENAI_API_KEY": HUSH}, tmp_path)
    assert "OPENAI_API_KEY, gateway.yaml (providers.openai): auth passthrough" in raised.value.problems[0]


def test_headers_are_masked_wherever_the_configuration_is_shown(tmp_path):
    (tmp_path / "gateway.yaml").write_text(f"providers: {{openai: {{headers: {{X-Team: {HUSH}}}}}}}")
    settings = load({}, tmp_path)
    assert "X-Team: '********'" in describe(settings)
    assert HUSH not in describe(settings) + repr(settings)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("{'X Team': hush-hush}", "'X Team' is no name of a header"),
        ("{'': hush-hush}", "'' is no name of a header"),
        ("{Content-Length: hush-hush}", "the header Content-Length is the gateway's own"),
        ("{host: hush-hush}", "the header host is the gateway's own"),
        (r'{X-A: "hush-hush\r\nX-B: c"}', "the value of the header X-A cannot be sent"),
        (r'{X-A: "hush-hush\n"}', "the value of the header X-A cannot be sent"),
        ("{X-A: ' hush-hush'}", "the value of the header X-A cannot be sent"),
        ("{X-A: hush-hush€}", "the value of the header X-A cannot be sent"),
        ("{X-A: [hush-hush]}", "providers.x.headers.X-A: a list is not a text"),
        ("{X-A: 4711}", "providers.x.headers.X-A: ******** is not a text"),
        ("hush-hush", "providers.x.headers: ******** is not a mapping of names to settings"),
    ],
)
def test_a_header_that_cannot_be_sent_is_named_without_its_value(tmp_path, headers, said):
    (line,) = problems(tmp_path, f"{{kind: openai, headers: {headers}}}")
    assert said in line
    assert HUSH not in line
    assert "4711" not in line


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{kind: openai, auth: basic}", "providers.x.auth: 'basic' is not one of bearer, jwt, passthrough, none"),
        ("{kind: openai, strict: maybe}", "providers.x.strict: 'maybe' is not true or false"),
        ("{kind: openai, betas: all}", "providers.x.betas: 'all' is not a list"),
        ("{kind: openai, timeout: 0}", "providers.x.timeout: 0 is not a number, above 0"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(tmp_path, entry, said):
    assert said in problems(tmp_path, entry)[0]


def test_a_key_may_say_all_that_is_promised_of_itself(tmp_path):
    entry = (
        "{kind: openai, strategy: least_loaded, queue: {max_wait: 5, max_waiting: 0}, key_limits: {slots: 4},"
        " keys: [{key: k, name: n, base_url: 'https://h/v1', requests_per_minute: 60, input_tokens_per_minute: 1000,"
        " output_tokens_per_minute: 100, weight: 2, priority: 1, slots: 1, account: x}, l]}"
    )
    made = provider(tmp_path, entry)
    first, second = made.keys
    assert first.key.get_secret_value() == "k"
    assert first.model_dump(exclude={"key"}) == {
        "requests_per_minute": 60,
        "input_tokens_per_minute": 1000,
        "output_tokens_per_minute": 100,
        "slots": 1,
        "name": "n",
        "base_url": "https://h/v1",
        "weight": 2,
        "priority": 1,
        "account": "x",
    }
    assert (second.key.get_secret_value(), second.weight, second.priority) == ("l", 1, 0)
    assert (made.strategy, made.queue.max_wait, made.queue.max_waiting, made.key_limits.slots) == (
        "least_loaded",
        5,
        0,
        4,
    )


def test_the_address_of_a_key_is_looked_at_like_that_of_its_instance(tmp_path):
    (line,) = problems(tmp_path, "{kind: glm, keys: [{key: hush-hush, base_url: 'api.z.ai/v4'}]}")
    assert line.startswith("gateway.yaml: providers.x.keys[0].base_url: 'api.z.ai/v4' is not a URL that starts with")
    assert HUSH not in line


def test_by_default_a_request_waits_half_a_minute_among_a_hundred(tmp_path):
    made = provider(tmp_path, "{kind: openai}")
    assert (made.queue.max_wait, made.queue.max_waiting, made.strategy, made.keys) == (30, 100, None, ())


def test_a_key_that_is_empty_is_left_out(tmp_path):
    made = provider(tmp_path, "{kind: openai, keys: ['', {key: ' ', slots: 1}, {key: '${K:-}'}, {key: k}]}")
    assert [one.key.get_secret_value() for one in made.keys] == ["k"]


def test_keys_are_masked_wherever_the_configuration_is_shown(tmp_path):
    (tmp_path / "gateway.yaml").write_text(f"providers: {{openai: {{keys: [{{key: {HUSH}, name: n}}]}}}}")
    settings = load({}, tmp_path)
    assert "name: n" in describe(settings)
    assert HUSH not in describe(settings) + repr(settings)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "{kind: openai, keys: [{key: hush-hush, priority: 3}]}",
            "keys[0].priority: 3 is not a whole number between 0 and 2",
        ),
        ("{kind: openai, keys: [{key: hush-hush, slots: 0}]}", "keys[0].slots: 0 is not a whole number, at least 1"),
        (
            "{kind: openai, keys: [{key: hush-hush, weight: 0}]}",
            "keys[0].weight: 0 is not a whole number between 1 and 1000",
        ),
        ("{kind: openai, keys: [{name: n}]}", "keys[0].key: is required"),
        ("{kind: openai, keys: [{key: hush-hush, rpm: 1}]}", "keys[0].rpm: is no setting"),
        ("{kind: openai, keys: [4711]}", "keys[0].key: ******** is not"),
        ("{kind: openai, keys: [[hush-hush]]}", "keys[0]"),
        ("{kind: openai, key_limits: {requests_per_minute: 0}}", "key_limits.requests_per_minute: 0 is not"),
        (
            "{kind: openai, strategy: random}",
            "strategy: 'random' is not one of round_robin, least_loaded, weighted, priority",
        ),
        ("{kind: openai, queue: {max_wait: -1}}", "queue.max_wait: -1 is not a number, at least 0"),
    ],
)
def test_a_mistake_in_what_is_said_of_keys_is_told_without_the_key(tmp_path, entry, said):
    (line,) = problems(tmp_path, entry)
    assert f"providers.x.{said}" in line
    assert HUSH not in line
    assert "4711" not in line


def test_keys_alone_may_stand_in_one_text(tmp_path):
    made = provider(tmp_path, "{kind: openai, keys: 'k, l,'}")
    assert [one.key.get_secret_value() for one in made.keys] == ["k", "l"]


def test_keys_with_all_that_is_known_of_them_may_stand_in_a_variable(tmp_path):
    made = load({"GATEWAY__PROVIDERS__OPENAI__KEYS": '[{"key": "k", "slots": 1}, "l"]'}, tmp_path).providers["openai"]
    assert [(one.key.get_secret_value(), one.slots) for one in made.keys] == [("k", 1), ("l", None)]


def test_a_callers_key_that_is_missing_is_a_mistake_as_ever(tmp_path):
    (tmp_path / "gateway.yaml").write_text("access: {keys: [{name: anna, key: '${K:-}'}]}")
    with pytest.raises(ConfigurationError):
        load({}, tmp_path)
