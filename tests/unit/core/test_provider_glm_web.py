"""What chat.z.ai's streams decode to, from their first frame to their end."""

from collections.abc import Iterable
from typing import Any

import pytest

from core.errors import GatewayError, UpstreamBroken, UpstreamUnreachable
from core.sse import SILENCE, Event, decode
from schemas.codec import dumps
from schemas.stream import Finished, KeepAlive, ReasoningDelta, TextDelta
from schemas.usage import Usage
from tests.unit.core.glm_web_events import END, THINKING, TOOLS, a_provider, a_request, chunks, event, said, texts

REASONING = "Der Mond 月\nliegt\nnäher\n\nals > die Sonne: 3 < 5 🌙."
ANSWER = "Ungefähr 384 400 km – 近い!\n\n`if a < b:` 🌕"


def test_a_recorded_answer_gives_its_reasoning_once_and_all_of_its_text() -> None:
    found = chunks(decode([THINKING]))
    assert "".join(chunk.text for chunk in found if isinstance(chunk, ReasoningDelta)) == REASONING
    assert "".join(chunk.text for chunk in found if isinstance(chunk, TextDelta)) == ANSWER
    assert found[-1] == Finished("stop", Usage(uncached=5, read=16, output=48))
    assert all(chunk.text for chunk in found[:-1])


@pytest.mark.parametrize("recording", [THINKING, TOOLS], ids=["thinking", "tools"])
def test_a_stream_cut_at_any_byte_decodes_the_same(recording: bytes) -> None:
    whole = chunks(decode([recording]), "get_weather")
    for cut in range(1, len(recording)):
        assert chunks(decode([recording[:cut], recording[cut:]]), "get_weather") == whole


def test_a_stream_in_single_bytes_with_crlf_decodes_the_same() -> None:
    blocks = (bytes([byte]) for byte in THINKING.replace(b"\n", b"\r\n"))
    assert chunks(decode(blocks)) == chunks(decode([THINKING]))


def test_two_streams_through_one_provider_do_not_mix() -> None:
    provider, request = a_provider(), a_request("get_weather")
    one, other = (provider.decode(decode([recording]), request) for recording in (THINKING, TOOLS))
    mixed: tuple[list[Any], list[Any]] = ([], [])
    for _ in range(40):
        mixed[0].extend(filter(None, [next(one, None)]))
        mixed[1].extend(filter(None, [next(other, None)]))
    assert mixed == (chunks(decode([THINKING])), chunks(decode([TOOLS]), "get_weather"))


def test_frames_without_the_outer_object_are_read() -> None:
    found = chunks([Event(dumps({"delta_content": "Hi", "phase": "answer"})), Event(dumps(END))])
    assert found == [TextDelta("Hi"), Finished("stop")]


@pytest.mark.parametrize("data", [b"null", b'"text"', b"[1]", b"7", b'{"type":"x","data":null}', b'{"data":"x"}'])
def test_frames_that_hold_no_object_are_passed_over(data: bytes) -> None:
    assert texts([said("a"), Event(data), said("b")]) == ("", "ab")


@pytest.mark.parametrize(
    "ending",
    [
        Event(b"[DONE]"),
        event(**END),
        event(phase="other", usage={"prompt_tokens": 1, "completion_tokens": 1}),
        Event(dumps({"data": "[DONE]", "type": "chat:completion"})),
        event(choices=[{"finish_reason": "stop"}]),
    ],
    ids=["[DONE]", "done", "other with usage", "[DONE] as data", "finish_reason"],
)
def test_each_sign_of_the_end_is_enough(ending: Event) -> None:
    found = chunks([said("Hi"), ending])
    assert found[0] == TextDelta("Hi")
    assert [type(chunk) for chunk in found[1:]] == [Finished]


@pytest.mark.parametrize("events", [[], [said("Hi")], [said("Hi"), event(phase="other")]])
def test_a_stream_that_never_says_it_ended_is_broken(events: list[Event]) -> None:
    with pytest.raises(UpstreamBroken):
        chunks(events)


def test_an_end_without_an_answer_is_broken() -> None:
    with pytest.raises(UpstreamBroken):
        chunks([event(**END), Event(b"[DONE]")])


def test_a_connection_that_fails_after_the_end_changes_nothing() -> None:
    def failing(*events: Event) -> Iterable[Event]:
        yield from events
        raise UpstreamUnreachable("reset")

    assert chunks(failing(said("Hi"), event(**END))) == [TextDelta("Hi"), Finished("stop")]
    with pytest.raises(UpstreamUnreachable):
        chunks(failing(said("Hi")))


@pytest.mark.parametrize(
    ("word", "reason"),
    [("length", "length"), ("sensitive", "content_filter"), ("tool_calls", "stop"), ("new", "stop")],
)
def test_finish_reasons_are_told_in_our_words(word: str, reason: str) -> None:
    assert chunks([said("Hi"), event(choices=[{"finish_reason": word}])])[-1] == Finished(reason)  # type: ignore[arg-type]


def test_the_last_usage_counts() -> None:
    first, last = ({"prompt_tokens": 9, "completion_tokens": count} for count in (1, 7))
    found = chunks([said("Hi"), event(phase="other", usage=first), event(usage=last, done=True), event(usage={})])
    assert found[-1] == Finished("stop", Usage(uncached=9, output=7))


# Silence


def test_silence_is_kept_alive_and_ends_an_answer_that_is_done() -> None:
    found = chunks([SILENCE, said("Hi"), SILENCE, event(**END), SILENCE, said("never read")])
    assert found == [KeepAlive(), TextDelta("Hi"), KeepAlive(), Finished("stop")]


def test_an_error_is_raised_after_what_was_said() -> None:
    found = a_provider().decode([said("Hi"), event(error={"detail": "broke"}, done=True)], a_request())
    assert next(found) == TextDelta("Hi")
    with pytest.raises(GatewayError, match="broke"):
        next(found)
