"""From the name a client wrote to the targets to try."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from core.catalogue import Catalogue
from core.errors import ModelNotFound
from core.routing import Route, listed
from schemas.model import ModelInfo, Price, Target
from services.routing import RoutingService

BIG = ModelInfo("GLM-4.6", "z-ai", 1000, 100, {"glm": "glm-4.6", "glm-web": "GLM-4-6"}, aliases=("glm",))
AIR = ModelInfo("GLM-4.5-Air", "z-ai", 1000, 100, {"glm": "glm-4.5-air"})
WEB = ModelInfo("0727-360B-API", "z-ai", 1000, 100, {"glm-web": "0727-360B-API"})
ROUTES = (Route("glm", "glm"), Route("web", "glm-web"))


class House:
    """A routing service whose usable providers can be changed."""

    def __init__(self, *usable: str) -> None:
        self.usable = set(usable)
        catalogue = Catalogue([BIG, AIR, WEB])
        self.routing = RoutingService(catalogue, ROUTES, lambda provider: provider in self.usable)

    def refusal(self, model: str) -> ModelNotFound:
        with pytest.raises(ModelNotFound) as raised:
            self.routing.targets(model)
        return raised.value


@pytest.mark.parametrize("name", ["GLM-4.6", "glm-4.6", "glm", "GLM"])
def test_a_model_has_its_targets_under_any_of_its_names(name: str) -> None:
    expected = (Target("glm", "glm-4.6", BIG), Target("web", "GLM-4-6", BIG))
    assert House("glm", "web").routing.targets(name) == expected


def test_a_provider_without_a_credential_is_no_target_until_it_has_one() -> None:
    house = House("glm")
    assert [target.provider for target in house.routing.targets("glm")] == ["glm"]
    house.usable.add("web")
    assert [target.provider for target in house.routing.targets("glm")] == ["glm", "web"]


def test_only_what_has_a_target_is_routable() -> None:
    assert House("glm").routing.routable() == [BIG, AIR]
    assert House().routing.routable() == []


def test_a_row_is_given_with_its_providers() -> None:
    routing = House("glm", "web").routing
    assert routing.info("glm") is BIG
    assert routing.providers("glm") == ["glm", "web"]


def test_an_unknown_model_is_not_found_and_near_names_are_told() -> None:
    error = House("glm").refusal("GLM-4.7")
    assert (error.status, error.param, error.code) == (404, "model", "model_not_found")
    assert error.details is not None
    assert "GLM-4.6" in error.details["near"]
    assert "Did you mean" in error.message


def test_a_name_that_resembles_none_is_pointed_to_the_list() -> None:
    error = House("glm").refusal("zzzzzz")
    assert error.details is None
    assert "/v1/models" in error.message


def test_what_is_known_but_not_routable_is_not_found_and_not_suggested() -> None:
    error = House("glm").refusal("0727-360B-API")
    assert "0727-360B-API" not in (error.details or {}).get("near", [])


def test_a_name_without_end_is_not_repeated_whole() -> None:
    assert len(House("glm").refusal("x" * 100_000).message) < 300


@pytest.mark.parametrize("name", ["", " ", "\x00", "../../etc/passwd"])
def test_a_strange_name_is_not_found(name: str) -> None:
    assert House("glm").refusal(name).code == "model_not_found"


# Models that the catalogue does not know


CLAUDE = ModelInfo("claude-opus", "anthropic", 1000, 100, {"anthropic": "claude-opus"})


def routed(*routes: Route, model_map: dict[str, str] | None = None) -> RoutingService:
    return RoutingService(Catalogue([BIG, AIR, CLAUDE]), routes, lambda _: True, model_map)


def where(routing: RoutingService, model: str) -> list[tuple[str, str]]:
    return [(target.provider, target.model) for target in routing.targets(model)]


BOX = Route(
    "box", "openai-compatible", listed({"Llama-3", "glm-4.6"}), abilities=frozenset({"tools"}), thinking="effort"
)


def test_an_instance_serves_what_its_configuration_lists_and_nothing_else() -> None:
    routing = routed(BOX)
    assert where(routing, "llama-3") == [("box", "Llama-3")]
    assert where(routing, "GLM-4.6") == [("box", "glm-4.6")]
    with pytest.raises(ModelNotFound):
        routing.targets("glm-4.5-air")
    assert [info.id for info in routing.routable()] == ["GLM-4.6", "Llama-3"]


def test_an_unknown_model_has_what_its_kind_is_able_to() -> None:
    info = routed(BOX).info("llama-3")
    assert (info.id, info.owner, info.context, info.abilities, info.thinking) == (
        "Llama-3",
        "box",
        0,
        {"tools"},
        "effort",
    )


@pytest.mark.parametrize("name", ["box/Llama-3", "BOX/Llama-3"])
def test_an_instance_may_be_named_ahead_of_the_model(name: str) -> None:
    assert where(routed(BOX, Route("glm", "glm")), name) == [("box", "Llama-3")]


def test_the_name_behind_the_instance_is_taken_as_it_stands_unless_it_is_known() -> None:
    routing = routed(Route("glm", "glm"), Route("web", "glm-web"), Route("router", "openrouter"))
    assert where(routing, "web/GLM-4.6") == [("web", "GLM-4-6")]
    assert where(routing, "router/meta/Some-Model:free") == [("router", "meta/Some-Model:free")]
    with pytest.raises(ModelNotFound):
        routing.targets("router/")


def test_a_kind_serves_its_family_before_the_catalogue_knows_it() -> None:
    routing = routed(Route("glm", "glm"), Route("anthropic", "anthropic", families=("claude-",)))
    assert where(routing, "claude-nova-9") == [("anthropic", "claude-nova-9")]
    with pytest.raises(ModelNotFound):
        routing.targets("nova-9")


def test_who_stands_in_is_asked_only_for_what_nobody_serves() -> None:
    stand_ins = {"claude-*": "glm-4.6", "gpt-*": "missing"}
    alone = routed(Route("glm", "glm"), model_map=stand_ins)
    assert where(alone, "claude-opus") == where(alone, "Claude-Unheard-Of") == [("glm", "glm-4.6")]
    assert [info.id for info in alone.routable()] == ["GLM-4.6", "GLM-4.5-Air", "claude-opus"]
    both = routed(Route("glm", "glm"), Route("anthropic", "anthropic"), model_map=stand_ins)
    assert where(both, "claude-opus") == [("anthropic", "claude-opus")]
    with pytest.raises(ModelNotFound):
        alone.targets("gpt-5")


def test_a_name_that_cannot_be_printed_is_no_model() -> None:
    routing = routed(Route("box", "openai-compatible"), Route("anthropic", "anthropic", families=("claude-",)))
    for name in ("box/a\nb", "box/\0", "claude-\x7f"):
        with pytest.raises(ModelNotFound):
            routing.targets(name)
    assert where(routing, "box/模型") == [("box", "模型")]


# What is known of models that are not

DAY = date(2026, 11, 26)
OPENAI = Route("openai", "openai", families=("gpt-",))
GPT = ModelInfo(
    "gpt-5.4",
    "openai",
    1000,
    100,
    {"openai": "gpt-5.4"},
    aliases=("five-four",),
    prices=(Price(DAY, input=2.0, cached=0.2, output=10.0, write_short=3.0), Price(DAY, input=4.0, above=500)),
)
MINI = ModelInfo("gpt-mini", "openai", 1000, 100, {"openai": "gpt-mini"}, prices=(Price(DAY, input=1.0, output=20.0),))
OPUS = ModelInfo("opus", "anthropic", 1000, 100, {"anthropic": "opus"}, prices=(Price(DAY, input=9.0, output=90.0),))


def priced(*routes: Route) -> RoutingService:
    return RoutingService(Catalogue([GPT, MINI, OPUS, BIG]), routes, lambda _: True)


@pytest.mark.parametrize("issue", ["2026-03-01", "20260301", "0613", "001", "latest"])
@pytest.mark.parametrize("asked", ["gpt-5.4-{}", "GPT-5.4-{}", "openai/gpt-5.4-{}"])
def test_an_issue_of_a_model_costs_what_the_model_does_and_is_asked_for_by_its_own_name(issue: str, asked: str) -> None:
    (found,) = priced(OPENAI).targets(asked.format(issue))
    assert (found.provider, found.model) == ("openai", asked.format(issue).rpartition("/")[2])
    assert found.info.prices == GPT.prices
    assert {found.model, "gpt-5.4", "five-four"} == {found.info.id, *found.info.aliases}, "budgets know its names"


def test_an_issue_that_an_instance_lists_costs_what_the_model_does() -> None:
    routing = priced(Route("box", "openai-compatible", listed({"gpt-5.4-2026-03-01"})))
    assert routing.targets("gpt-5.4-2026-03-01")[0].info.prices == GPT.prices
    assert routing.info("gpt-5.4-2026-03-01").prices == GPT.prices
    assert [info.id for info in routing.routable()] == ["gpt-5.4-2026-03-01"]


def test_a_provider_may_have_prices_of_its_own() -> None:
    own = (Price(DAY, input=1.0, output=3.0, provider="box"), Price(DAY, input=9.0, above=500, provider="box"))
    dear = Price(DAY, input=5.0, output=50.0, provider="openai-compatible")
    model = replace(GPT, prices=(*GPT.prices, *own, dear), upstream={"openai": "gpt-5.4", "openai-compatible": "g"})
    routes = (OPENAI, Route("box", "openai-compatible"), Route("other", "openai-compatible"))
    routing = RoutingService(Catalogue([model]), routes, lambda _: True)
    asked = ("openai/gpt-5.4", "box/gpt-5.4", "box/gpt-5.4-0613", "other/gpt-5.4")
    infos = [routing.targets(name)[0].info for name in asked]
    told = [[price.input for prompt in (1, 600) if (price := info.price_on(DAY, prompt))] for info in infos]
    assert told == [[2.0, 4.0], [1.0, 9.0], [1.0, 9.0], [5.0, 5.0]]
    assert model.price_on(DAY) == GPT.prices[0], "what stands in lists is the price of all others"
    assert (routing.dearest("box", DAY), routing.dearest("other", DAY)) == (
        Price(DAY, 9.0, 9.0, 3.0, 9.0, 9.0),
        Price(DAY, 5.0, 5.0, 50.0, 5.0, 5.0),
    )


@pytest.mark.parametrize(
    "own",
    [
        Price(DAY + timedelta(1), input=1.0, output=3.0, provider="box"),
        Price(DAY, input=1.0, above=500, provider="box"),
    ],
    ids=["not yet", "for long prompts only"],
)
def test_where_a_price_of_a_provider_does_not_hold_that_of_all_does(own: Price) -> None:
    info = replace(GPT, prices=(GPT.prices[0], own)).priced_at("box", "openai-compatible")
    later = info.price_on(DAY + timedelta(1), 501)
    assert (info.price_on(DAY), later and later.input) == (GPT.prices[0], 1.0)


@pytest.mark.parametrize("name", ["gpt-5.5-2026-03-01", "gpt-5.4-turbo", "gpt-5.4-2026-03-01x"])
def test_what_is_no_issue_of_a_known_model_has_no_price(name: str) -> None:
    assert priced(OPENAI).targets(name)[0].info.prices == ()


@pytest.mark.parametrize("instance", ["anthropic", "box"])
def test_another_provider_has_no_issue_of_it(instance: str) -> None:
    routing = priced(Route("anthropic", "anthropic"), Route("box", "openai-compatible"))
    assert routing.targets(f"{instance}/gpt-5.4-2026-03-01")[0].info.prices == ()


@pytest.mark.parametrize(
    "name", ["gpt-5.4 ", "gpt-5.4\t", "gpt-5.4\u200b", "gpt-5.4\u00a0x", "gpt-5.4\x00", "gpt-5.4 x"]
)
def test_an_odd_name_is_not_sent_to_anybody(name: str) -> None:
    for asked in (name, f"openai/{name}"):
        with pytest.raises(ModelNotFound):
            priced(OPENAI).targets(asked)


def test_a_name_in_other_letters_is_of_no_family() -> None:
    with pytest.raises(ModelNotFound):
        priced(OPENAI).targets("gpt-5․4")


def test_the_dearest_price_of_a_provider_is_passed_by_none_of_its_models() -> None:
    assert priced(OPENAI).dearest("openai", DAY) == Price(DAY, 4.0, 4.0, 20.0, 4.0, 4.0)
    assert priced(Route("box", "openai-compatible", listed({"gpt-mini"}))).dearest("box", DAY) == Price(
        DAY, 1.0, 1.0, 20.0, 1.0, 1.0
    )


def test_of_a_provider_of_which_no_price_is_known_it_is_the_dearest_of_all() -> None:
    assert priced(Route("box", "openai-compatible")).dearest("box", DAY) == Price(DAY, 9.0, 9.0, 90.0, 9.0, 9.0)
    assert routed(Route("glm", "glm")).dearest("glm", DAY) is None
