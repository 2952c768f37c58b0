"""What moves a model and what does not, for how long, and who knows: two instances on one redis, by a clock."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.integration.timed_house import KEYS, LARGE, MEDIUM, OPUS, SMALL, THRESHOLD, House, Talk, anew, house_in
from tests.redis_server import RedisServer
from tests.upstreams.caching import Mood
from tests.upstreams.steps import JSON, whole

SONNET, GPT, NEW_GPT = "claude-sonnet-5-5", "gpt-5.5", "gpt-5.6"
MINUTE = 60.0
COOLDOWN = 15 * MINUTE


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        RedisServer(tmp_path_factory.mktemp("redis")) as redis,
        house_in(tmp_path_factory.mktemp("houses"), 2, redis.url) as house,
    ):
        yield house


@pytest.fixture
def house(running: House) -> House:
    """The same without memory of the test before."""
    return anew(running)


def test_what_an_instance_shows_is_what_the_other_has_just_met(house: House) -> None:
    slow = whole(b'{"error":{"code":"1302","message":"slow down"}}', 429, {**JSON, "Retry-After": "60"})
    house.upstream.script(slow, times=None, when=lambda request: "zai" in request.path)
    first, second = house.gateways
    assert first.chat(model="glm-4.6").status_code == 429
    assert second.get("/v1/providers/glm").json()["credentials"] == {"total": 1, "cooling_down": 1}
    assert second.get("/v1/providers").ok
    asked = len(house.upstream.requests)
    assert second.chat(model="glm-4.6").status_code == 429
    assert len(house.upstream.requests) == asked, "its traffic goes by what it has shown"
    house.pass_time(60)
    assert first.chat(model="glm-4.6").status_code == 429
    body = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hi"}]}
    explained = second.post("/v1/route/explain", body).json()
    assert (explained["targets"], [lost["provider"] for lost in explained["lost"]][-1]) == ([], "glm")


# What moves a model, and what does not

Course = Callable[[House, Talk], None]


def turns_in(mood: Mood, times: int = 1) -> Course:
    """One turn in good health, and some in that mood."""

    def course(house: House, talk: Talk) -> None:
        talk.ask()
        house.provider.mood = mood
        for number in range(times):
            talk.ask(number % 2)

    return course


def other_conversations(house: House, talk: Talk) -> None:
    for _ in range(4):
        Talk(house, talk.model, talk.size, talk.is_anthropic).ask()


def a_pause_of_an_hour(house: House, talk: Talk) -> None:
    for _ in range(3):
        talk.ask()
        house.pass_time(60 * MINUTE)


def losses_apart(minutes: float) -> Course:
    def course(house: House, talk: Talk) -> None:
        for _ in range(2):
            talk.ask()
            house.lose(talk)
            house.pass_time(minutes * MINUTE)

    return course


COURSES: list[tuple[str, int, Course, bool]] = [
    ("large, and all is read", LARGE, turns_in("well", 6), False),
    ("large, and lost once", LARGE, turns_in("forgetful"), True),
    ("large, and no longer cached", LARGE, turns_in("silent"), True),
    ("large, and denied to have been read", LARGE, turns_in("lying"), True),
    ("large, and nothing is told of it", LARGE, turns_in("mute", 4), False),
    ("large, and new each time", LARGE, other_conversations, False),
    ("large, and outlived", LARGE, a_pause_of_an_hour, False),
    ("medium, lost once: below the threshold", MEDIUM, turns_in("forgetful"), False),
    ("medium, lost twice: above it in sum, at two instances", MEDIUM, turns_in("forgetful", 2), True),
    ("medium, lost twice within the window", MEDIUM, losses_apart(4), True),
    ("medium, lost twice, not within the window", MEDIUM, losses_apart(16), False),
    ("small, and no longer cached", SMALL, turns_in("silent", 5), False),
    ("small, and lost", SMALL, turns_in("forgetful", 5), False),
]
CLIENTS = [("anthropic", OPUS), ("openai", GPT)]
OTHERS = [("openai", OPUS), ("openai", NEW_GPT)]
"""What the gateway marks itself, and what tells of its writes in OpenAI's words."""
ROWS = [(*client, *row) for row, client in product(COURSES, CLIENTS)]
ROWS += [(*client, *row) for row, client in product((COURSES[0], COURSES[1], COURSES[8]), OTHERS)]


@pytest.mark.parametrize(
    ("client", "model", "size", "course", "moves"),
    [(client, model, *rest) for client, model, _, *rest in ROWS],
    ids=[f"{client} {model}: {name}" for client, model, name, *_ in ROWS],
)
def test_what_moves_a_model(house: House, client: str, model: str, size: int, course: Course, moves: bool) -> None:
    talk = Talk(house, model, size, client == "anthropic")
    course(house, talk)
    assert [house.is_moved(model, at) for at in (0, 1)] == [moves, moves]
    assert (talk.ask(1, stream=True) == "I am GLM.") is moves


def test_what_is_not_marked_moves_nothing(house: House) -> None:
    talk = Talk(house, OPUS, marks=False)
    house.provider.mood = "silent"
    for _ in range(4):
        assert talk.ask() == "I am Claude."
    assert house.state()["loss_usd"] == 0


def test_losses_are_seen_and_told_while_nothing_may_move(tmp_path: Path) -> None:
    with house_in(tmp_path, 1, None, enabled=False) as house:
        anew(house)
        talk = Talk(house, OPUS)
        talk.ask()
        for _ in range(3):
            house.lose(talk)
        assert talk.ask() == "I am Claude."
        assert not house.is_moved()
        assert house.state()["loss_usd"] > 3 * THRESHOLD
        assert house.state()["stand_in"] == "glm-4.7"
        (row,) = house.gateways[0].get("/v1/usage").json()["cache"]["by_key"]
        assert row["causes"] == {"cold": 1, "evicted": 3, "hit": 1}
        assert row["lost_usd"] == pytest.approx(house.state()["loss_usd"], rel=0.01)
        assert row["read_tokens"] == house.provider.read
        house.pass_time(16 * MINUTE)
        assert house.state()["loss_usd"] == 0, "the window is over"


# For how long, and who knows


def test_it_ends_by_itself_and_the_cache_is_read_again(house: House) -> None:
    talk = Talk(house, OPUS)
    house.move(talk)
    ends = house.clock.now() - 1 + COOLDOWN
    assert talk.ask() == "I am GLM."
    house.pass_time(ends - house.clock.now() - 1)
    assert talk.ask(1) == "I am GLM."
    house.sync()
    assert (house.is_moved(at=0), house.is_moved(at=1)) == (False, False)
    for number in range(6):
        read = house.provider.read
        assert talk.ask(number % 2) == "I am Claude."
        assert (house.provider.read > read) == (number > 0), "it is written once more, and read from then on"
    assert not house.is_moved()
    assert house.state()["loss_usd"] == 0


def test_it_may_begin_again_and_what_led_to_it_before_does_not_count(house: House) -> None:
    talk = Talk(house, OPUS, MEDIUM)
    talk.ask()
    house.lose(talk)
    house.lose(talk)
    for _ in range(2):
        assert house.is_moved()
        house.pass_time(COOLDOWN)
        talk.ask()
        house.lose(talk, at=1)
        assert not house.is_moved(), "one loss of this size is below the threshold"
        house.lose(talk)
    assert house.is_moved()


def test_what_the_stand_in_meets_neither_ends_nor_lengthens_it(house: House) -> None:
    talk = Talk(house, OPUS)
    house.move(talk)
    until = house.state()["until"]
    house.provider.moods["id.secret"] = "broken"
    assert talk.ask() == "I am Claude.", "who can answer does"
    house.provider.moods.clear()
    house.provider.forget()
    assert talk.ask() == "I am GLM."
    assert house.state()["until"] == until


@pytest.mark.parametrize("code", ["1301", "1210", "1213"])
def test_what_only_the_stand_in_refuses_the_model_itself_answers(house: House, code: str) -> None:
    talk, play = Talk(house, OPUS), house.provider.play
    house.move(talk)
    refusal = whole(b'{"error":{"code":"%s","message":"not like that"}}' % code.encode(), 400)
    house.upstream.behave(lambda request: refusal if "/zai/" in request.path else play(request))
    assert [talk.ask(stream=stream) for stream in (False, True)] == ["I am Claude."] * 2
    house.upstream.behave(play)
    assert talk.ask() == "I am GLM.", "the next turn asks the stand-in again"


def test_other_models_stay_where_they_are_and_so_does_who_names_the_provider(house: House) -> None:
    talk = Talk(house, OPUS)
    house.move(talk)
    other, gpt = Talk(house, SONNET), Talk(house, GPT, is_anthropic=False)
    for at, stream in product((0, 1), (False, True)):
        assert talk.ask(at, stream) == "I am GLM."
        assert other.ask(at, stream) == "I am Claude."
        assert gpt.ask(at, stream) == "I am GPT."
        assert talk.ask(at, stream, model=f"anthropic/{OPUS}") == "I am Claude."
    assert not house.is_moved(SONNET)
    assert not house.is_moved(GPT)


def test_the_other_instance_knows_with_its_next_sync_and_tells_the_same(house: House) -> None:
    talk, here, there = Talk(house, OPUS), *house.gateways
    house.move(talk)
    there.tick()
    told = [
        next(one for one in gateway.get("/v1/failover").json()["data"] if one["active"]) for gateway in (here, there)
    ]
    assert told[0] == told[1]
    assert (told[1]["model"], told[1]["reason"], told[1]["stand_in"]) == (OPUS, "cache_loss", "glm-4.7")
    body = {"model": OPUS, "messages": [{"role": "user", "content": "Hi"}]}
    targets = there.post("/v1/route/explain", body).json()["targets"]
    assert [target["provider"] for target in targets] == ["glm", "anthropic"]
    assert f'glm_failover_active{{model="{OPUS}"}} 1.0' in there.get("/v1/metrics").text
    assert there.delete(f"/v1/failover/{OPUS}").ok
    here.tick()
    assert not house.is_moved(at=0)
    assert talk.ask() == "I am Claude."


# Where a conversation is at home


@pytest.mark.parametrize(("client", "model"), CLIENTS + OTHERS)
def test_what_began_at_one_instance_goes_to_the_same_key_through_the_other(
    house: House, client: str, model: str
) -> None:
    talks = [Talk(house, model, MEDIUM, client == "anthropic") for _ in range(4)]
    keys = {}
    for talk in talks:
        talk.ask(0)
        keys[talk.session] = house.provider.calls[-1]
    assert len(set(keys.values())) > 1, "they are spread over the keys"
    for talk, at in product(talks, (1, 0, 1)):
        read = house.provider.read
        talk.ask(at)
        assert house.provider.calls[-1] == keys[talk.session]
        assert house.provider.read - read >= 0.9 * MEDIUM
    assert house.provider.read == house.provider.ideal


# Keys that are used up


@pytest.mark.parametrize(("client", "model"), CLIENTS)
def test_what_the_headers_tell_of_limits_is_kept_to_at_both_instances(house: House, client: str, model: str) -> None:
    keys = KEYS if model == OPUS else ("o-1", "o-2")
    house.provider.limit(keys, requests=3)
    statuses = Counter[int]()
    for number in range(60):
        gateway = house.gateways[number % 2]
        statuses[gateway.chat(model=model).status_code] += 1
        house.sync()
        house.clock.advance(3)
    assert statuses == {200: len(house.provider.log), 429: 60 - len(house.provider.log)}, "no key has refused anything"
    assert statuses[429] > 0
    assert statuses[200] >= 10 * len(keys), "each may do three at once, and one more in every twenty seconds"


def test_a_key_without_money_is_out_and_its_conversation_is_warm_elsewhere_from_the_next_turn_on(house: House) -> None:
    talk = Talk(house, OPUS, MEDIUM)
    talk.ask()
    poor = house.provider.calls[-1]
    house.provider.moods[poor] = "poor"
    assert talk.ask(1) == "I am Claude."
    home, before = house.provider.calls[-1], len(house.provider.calls)
    assert home != poor
    for number in range(4):
        read = house.provider.read
        assert talk.ask(number % 2) == "I am Claude."
        assert house.provider.read > read
    assert house.provider.calls[before:] == [home] * 4, "the poor key is left alone, at both instances"
    assert not house.is_moved(), "what the gateway's own change of key costs is not the provider's doing"
    for gateway in house.gateways:
        for token in gateway.get("/v1/tokens").json()["data"]:
            gateway.post(f"/v1/tokens/{token['id']}/reset", None)
