"""For how long an answer is kept, and with which others it shares its room."""

import pytest

from config.settings import ResponseCacheSettings
from core.store.base import Room
from services.answer_rooms import AnswerRooms

SETTINGS = ResponseCacheSettings.model_validate(
    {
        "ttl": 100,
        "max_bytes": 1000,
        "models": {"glm-*-flash": {"ttl": 10, "max_bytes": 200}, "glm-*": 20, "big": {"max_bytes": 5000}, "no": 0},
        "providers": {"web": {"ttl": 0}, "fast": {"ttl": 30, "max_bytes": 300}},
    }
)


@pytest.mark.parametrize(
    ("model", "provider", "seconds", "room"),
    [
        ("other", "any", 100, Room("answers", 1000)),
        ("GLM-4.7-Flash", "any", 10, Room("answers:model:glm-*-flash", 200)),
        ("glm-4.7", "any", 20, Room("answers", 1000)),
        ("glm-4.7", "fast", 20, Room("answers:provider:fast", 300)),
        ("big", "fast", 30, Room("answers:model:big", 5000)),
        ("big", "any", 100, Room("answers:model:big", 5000)),
        ("other", "web", 0, Room("answers", 1000)),
        ("no", "fast", 0, Room("answers:provider:fast", 300)),
    ],
)
def test_a_model_counts_before_its_provider_and_both_before_all(
    model: str, provider: str, seconds: float, room: Room
) -> None:
    rooms = AnswerRooms(SETTINGS)
    assert (rooms.seconds(model, provider), rooms.room(model, provider)) == (seconds, room)


@pytest.mark.parametrize("wrong", [{"ttl": -1}, {"max_bytes": -1}, {"size": 1}, "soon", 99 * 86_400])
def test_what_is_no_time_and_no_size_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"models"):
        ResponseCacheSettings.model_validate({"models": {"m": wrong}})
