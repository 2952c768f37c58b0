"""What Anthropic's own API is asked, and with which headers."""

import pytest

from core.errors import UpstreamBroken
from core.providers.glm_anthropic import GLMAnthropic
from schemas.chat import Message, TextPart, ThinkingBlock
from schemas.codec import loads
from schemas.credential import Credential
from schemas.limit import LimitReading
from tests.fakes import FakeClock
from tests.unit.core.anthropic_kit import CREDENTIAL, built, chat, claude, compatible, native, target

BODY = b'{"model":"alias","max_tokens":5,"messages":[],"stream":true}'
CLAUDE_CODE = (
    "claude-code-20250219, interleaved-thinking-2025-05-14, context-management-2025-06-27, per-turn-control-2026-07-01,"
    "mid-conversation-tool-changes-2026-07-01, thinking-token-count-2026-05-13, advanced-tool-use-2025-11-20,"
    "effort-2025-11-24, token-counting-2024-11-01, oauth-2025-04-20"
)


def betas(flags, provider=None):
    sent = built(native(BODY, headers={"anthropic-beta": flags}), provider=provider)
    return sent.headers.get("anthropic-beta"), sent.dropped


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/", "/v1/messages"])
def test_every_form_of_the_base_url_leads_to_the_messages(base):
    provider = type(claude())("claude", f"https://api.anthropic.com{base}", FakeClock())
    assert built(chat(), provider=provider).url == "https://api.anthropic.com/v1/messages"


def test_the_key_travels_in_its_header_and_is_not_shown():
    sent = built(chat())
    assert sent.headers["x-api-key"] == "sk-ant-verysecret"
    assert "verysecret" not in repr(sent)
    assert sent.headers["X-Request-ID"] == "req-12345"


def test_configured_headers_are_sent_and_a_callers_own_sign_instead_of_the_key():
    assert built(chat(), provider=claude(headers={"X-Team": "a"})).headers["X-Team"] == "a"
    own = Credential("claude", "unused", headers={"Authorization": "Bearer caller"})
    sent = claude().build(chat(), target(), own, "r")
    assert sent.headers["Authorization"] == "Bearer caller"
    assert "x-api-key" not in sent.headers


def test_the_version_is_the_clients_own_if_it_speaks_this_dialect():
    headers = {"anthropic-version": "2026-10-21"}
    assert built(native(BODY, headers=headers)).headers["anthropic-version"] == "2026-10-21"
    assert built(native(BODY)).headers["anthropic-version"] == "2023-06-01"
    assert built(chat(headers=headers)).headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize(("stream", "accept"), [(True, "text/event-stream"), (False, "application/json")])
def test_an_answer_in_the_callers_own_dialect_is_asked_for_as_the_caller_wants_it(stream, accept):
    assert built(native(BODY, stream=stream)).headers["Accept"] == accept
    assert built(chat(stream=stream)).headers["Accept"] == "text/event-stream"
    assert loads(built(chat(stream=stream)).body)["stream"] is True


def test_all_that_claude_code_sends_is_known_to_anthropic():
    sent, dropped = betas(CLAUDE_CODE)
    assert sent == CLAUDE_CODE.replace(" ", "")
    assert dropped == ()


def test_unknown_flags_are_left_out_and_named():
    assert betas("made-up-2030-01-01,effort-2025-11-24,,effort-2025-11-24") == (
        "effort-2025-11-24",
        ("anthropic-beta.made-up-2030-01-01",),
    )
    assert betas("made-up-2030-01-01") == (None, ("anthropic-beta.made-up-2030-01-01",))


def test_hosts_that_are_not_anthropics_are_sent_what_they_may_have_heard_of():
    glm = GLMAnthropic("glm", "https://api.z.ai/api/anthropic", FakeClock())
    for provider in (compatible(), glm):
        assert betas("interleaved-thinking-2025-05-14,effort-2025-11-24", provider) == (
            "interleaved-thinking-2025-05-14",
            ("anthropic-beta.effort-2025-11-24",),
        )


def test_the_operator_may_allow_other_flags_or_all():
    assert betas("a-1,b-2", claude(betas=frozenset({"b-2"}))) == ("b-2", ("anthropic-beta.a-1",))
    assert betas("a-1, b-2", compatible(betas=frozenset({"*"}))) == ("a-1,b-2", ())
    assert betas("a-1", claude(betas=frozenset()))[0] is None


def test_flags_of_a_client_of_another_dialect_go_nowhere():
    sent = built(chat(headers={"anthropic-beta": "effort-2025-11-24"}))
    assert "anthropic-beta" not in sent.headers


def test_counting_sends_the_fields_that_count_and_no_others():
    raw = {"model": "alias", "max_tokens": 5, "stream": True, "messages": [], "system": "s", "temperature": 1.0}
    sent = claude().count(native(raw), target(), CREDENTIAL, "r")
    assert sent.url == "https://api.anthropic.com/v1/messages/count_tokens"
    assert loads(sent.body) == {"model": "claude-opus-4-8", "messages": [], "system": "s"}
    assert (sent.method, sent.headers["x-api-key"], sent.headers["Accept"]) == (
        "POST",
        "sk-ant-verysecret",
        "application/json",
    )


def test_a_question_for_the_count_is_forwarded_to_the_byte():
    raw = b'{ "model":"alias", "messages":[ {"role":"user","content":"caf\\u00e9"} ] }'
    sent = claude().count(native(raw), target(), CREDENTIAL, "r")
    assert sent.body == raw.replace(b"alias", b"claude-opus-4-8")


def test_counting_makes_the_same_edits_as_sending():
    block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    answer = {"role": "assistant", "content": [block, {"type": "text", "text": "a"}]}
    told = Message("assistant", thinking=(ThinkingBlock("hm", "s", issuer="glm"),))
    sent = claude().count(native({"model": "alias", "messages": [answer]}, told), target(), CREDENTIAL, "r")
    assert loads(sent.body)["messages"][0]["content"] == [{"type": "text", "text": "a"}]


def test_a_translated_request_can_be_counted_too():
    sent = claude().count(chat(Message("user", (TextPart("hi"),))), target(), CREDENTIAL, "r")
    assert loads(sent.body) == {
        "model": "claude-opus-4-8",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_the_count_is_read_or_refused():
    assert claude().read_count(b'{"input_tokens": 12}') == 12
    for body in (b"", b"[]", b'{"input_tokens":"x"}', b'{"tokens":1}', b"<html>"):
        with pytest.raises(UpstreamBroken):
            claude().read_count(body)


def test_the_probe_lists_one_model():
    probe = claude().probe(CREDENTIAL)
    assert (probe.method, probe.url) == ("GET", "https://api.anthropic.com/v1/models?limit=1")
    assert (probe.headers["x-api-key"], probe.headers["anthropic-version"]) == ("sk-ant-verysecret", "2023-06-01")
    assert compatible().probe(CREDENTIAL) is None


def test_limits_are_read_from_every_family_of_headers():
    headers = {
        f"anthropic-ratelimit-{name}-{what}": value
        for name in ("requests", "tokens", "input-tokens", "output-tokens")
        for what, value in (("limit", "100"), ("remaining", "7"), ("reset", "2026-11-21T00:00:30Z"))
    }
    reset = 1_795_219_230.0
    kinds = ("requests", "tokens", "input_tokens", "output_tokens")
    assert claude().limits(headers) == tuple(LimitReading(kind, 100, 7, reset) for kind in kinds)


def test_what_headers_do_not_say_is_unknown():
    assert claude().limits({}) == ()
    assert claude().limits({"anthropic-ratelimit-requests-limit": "many"}) == ()
    odd = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "soon"}
    assert claude().limits(odd) == (LimitReading("requests", None, 0, None),)
    priority = {"anthropic-priority-input-tokens-limit": "5"}
    assert claude().limits(priority) == ()
