"""How large an answer may be that is kept."""

from dataclasses import replace
from math import inf

import pytest

from config.settings import ResponseCacheSettings
from core.store.memory import MemoryCounters
from schemas.chat import Native
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.route import Plan
from schemas.stream import Finished, TextDelta
from services.recollection import Recollection
from services.response_cache import Place, ResponseCache
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import chat_request


def test_numbers_that_json_has_no_word_for_are_not_taken_for_one_another() -> None:
    cache = ResponseCache(ResponseCacheSettings(enabled=True), Recollection(MemoryCounters(), FakeClock()), "")

    def name(value: float | None) -> str:
        request = replace(chat_request(), native=Native("openai_chat", {"a": value}))
        place = cache.place(request, Origin("req-1", 0.0, cache="use"), Plan(()))
        assert isinstance(place, Place)
        return place.name

    assert len({name(value) for value in (None, inf, -inf, 1.0)}) == 4


def test_who_brings_another_key_for_the_provider_is_another_caller() -> None:
    cache = ResponseCache(ResponseCacheSettings(enabled=True), Recollection(MemoryCounters(), FakeClock()), "")

    def place(**own: str) -> Place:
        found = cache.place(chat_request(), Origin("req-1", 0.0, "ann", own=own, cache="use"), Plan(()))
        assert isinstance(found, Place)
        return found

    one, other = place(Authorization="Bearer one"), place(Authorization="Bearer other")
    outcome = Outcome("m", stream=False, provider="one", upstream_model="m")
    list(cache.recording(one, outcome, iter([TextDelta("paid by one"), Finished("stop")])))
    assert [cache.find(where) is not None for where in (one, other, place())] == [True, False, False]


@pytest.mark.parametrize(("text", "kept"), [("x" * 1500, True), ("世" * 500, True), ("世" * 1500, False)])
def test_the_size_of_an_answer_is_counted_in_bytes(text: str, kept: bool) -> None:
    cache = ResponseCache(
        ResponseCacheSettings(enabled=True, max_entry_bytes=3000), Recollection(MemoryCounters(), FakeClock()), ""
    )
    place = cache.place(chat_request(), Origin("req-1", 0.0, "ann", cache="use"), Plan(()))
    assert isinstance(place, Place)
    outcome = Outcome("m", stream=False, provider="one", upstream_model="m")
    list(cache.recording(place, outcome, iter([TextDelta(text), Finished("stop")])))
    assert (cache.find(place) is not None) == kept
