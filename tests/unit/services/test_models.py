"""The models as clients see them."""

from dataclasses import replace
from datetime import date

import pytest

from core.catalogue import Catalogue
from core.errors import ModelNotFound
from core.routing import Route
from schemas.model import ModelInfo, Price
from services.models import ModelService
from services.routing import RoutingService

OLD, FUTURE = Price(date(2020, 1, 1), 0.6, 0.11, 2.2), Price(date(2999, 1, 1), 9.0, 9.0, 9.0)
PRICED = ModelInfo(
    "GLM-4.6",
    "z-ai",
    200_000,
    128_000,
    {"glm": "glm-4.6"},
    aliases=("glm", "latest"),
    abilities=frozenset({"tools", "streaming"}),
    thinking="switch",
    created=1_759_190_400,
    prices=(FUTURE, OLD),
)
UNPRICED = ModelInfo("other", "z-ai", 1000, 100, {"glm-web": "o", "glm": "o"})
UNROUTABLE = ModelInfo("far", "x", 1000, 100, {"elsewhere": "far"})


def service() -> ModelService:
    routes = [Route("a", "glm"), Route("b", "glm-web")]
    return ModelService(RoutingService(Catalogue([PRICED, UNPRICED, UNROUTABLE]), routes, lambda _: True))


def test_what_is_routable_is_listed_with_its_aliases_and_nothing_else() -> None:
    assert [entry["id"] for entry in service().listing()] == ["GLM-4.6", "glm", "latest", "other"]


def test_a_model_has_openais_fields_and_more() -> None:
    assert service().one("GLM-4.6") == {
        "id": "GLM-4.6",
        "object": "model",
        "created": 1_759_190_400,
        "owned_by": "z-ai",
        "context_length": 200_000,
        "max_output_tokens": 128_000,
        "abilities": ["streaming", "tools"],
        "thinking": "switch",
        "providers": ["a"],
        "pricing": {
            "currency": "USD",
            "per_tokens": 1_000_000,
            "input": 0.6,
            "cached_input": 0.11,
            "output": 2.2,
            "since": "2020-01-01",
        },
    }


def test_an_alias_names_what_it_stands_for() -> None:
    entry = service().one("latest")
    assert (entry["id"], entry["alias_of"]) == ("latest", "GLM-4.6")


def test_a_name_in_another_case_is_told_as_it_was_asked_for() -> None:
    assert service().one("glm-4.6")["id"] == "glm-4.6"


def test_an_unknown_price_is_null_and_not_zero() -> None:
    assert service().one("other")["pricing"] is None
    partly = replace(UNPRICED, prices=(Price(date(2020, 1, 1), input=0.0),))
    models = ModelService(RoutingService(Catalogue([partly]), [Route("a", "glm")], lambda _: True))
    pricing = models.one("other")["pricing"]
    assert (pricing["input"], pricing["output"], pricing["cached_input"]) == (0.0, None, None)


def test_the_price_that_is_told_is_that_of_the_provider_that_is_asked_first() -> None:
    own = replace(UNPRICED, prices=(OLD, Price(date(2020, 1, 1), input=0.1, provider="b")))
    for first, told in (("a", 0.6), ("b", 0.1)):
        routes = sorted([Route("a", "glm"), Route("b", "glm")], key=lambda route: route.provider != first)
        models = ModelService(RoutingService(Catalogue([own]), routes, lambda _: True))
        assert models.one("other")["pricing"]["input"] == told


def test_every_provider_of_a_model_is_named() -> None:
    assert service().one("other")["providers"] == ["a", "b"]


@pytest.mark.parametrize("name", ["far", "nothing"])
def test_what_is_not_routable_is_not_found(name: str) -> None:
    with pytest.raises(ModelNotFound):
        service().one(name)


# Anthropic's shape


def test_a_page_of_anthropics_names_its_ends_and_whether_there_is_more() -> None:
    page = service().anthropic_page(2, None, None)
    assert [entry["id"] for entry in page["data"]] == ["GLM-4.6", "glm"]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, "GLM-4.6", "glm")
    rest = service().anthropic_page(2, "glm", None)
    assert [entry["id"] for entry in rest["data"]] == ["latest", "other"]
    assert not rest["has_more"]
    assert [entry["id"] for entry in service().anthropic_page(2, None, "other")["data"]] == ["glm", "latest"]
    assert service().anthropic_page(2, None, "other")["has_more"]
    assert service().anthropic_page(5, "other", None) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


def test_a_model_of_anthropics_shape_tells_its_limits() -> None:
    entry = service().anthropic_one("glm")
    assert entry == {
        "type": "model",
        "id": "glm",
        "display_name": "glm",
        "created_at": "2025-09-30T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 128_000,
    }
