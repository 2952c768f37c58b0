"""From the name a client wrote to the targets to try."""

import pytest

from core.catalogue import Catalogue
from core.errors import ModelNotFound
from core.routing import Route
from schemas.model import ModelInfo, Target
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
