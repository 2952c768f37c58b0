"""Which targets a model leads to."""

from core.routing import Route, candidates, listed
from schemas.model import ModelInfo, Target

INFO = ModelInfo("GLM-4.6", "z-ai", 200_000, 128_000, {"glm": "glm-4.6", "glm-web": "GLM-4-6-API-V1"}, ("glm",))
GLM, WEB, OTHER = Route("a", "glm"), Route("b", "glm-web"), Route("c", "other")


def test_every_provider_that_knows_the_model_is_a_target_under_the_name_it_knows() -> None:
    assert candidates(INFO, [WEB, OTHER, GLM]) == (Target("b", "GLM-4-6-API-V1", INFO), Target("a", "glm-4.6", INFO))


def test_two_instances_of_a_kind_are_two_targets() -> None:
    assert [target.provider for target in candidates(INFO, [GLM, Route("d", "glm")])] == ["a", "d"]


def test_a_provider_limited_to_other_models_is_no_target() -> None:
    assert candidates(INFO, [Route("a", "glm", listed(["glm-4.5"]))]) == ()


def test_a_limit_names_the_model_by_either_name_in_any_case() -> None:
    assert Route("a", "glm", listed(["glm-4.6"])).target(INFO)
    assert Route("b", "glm-web", listed(["GLM-4.6"])).target(INFO)
    assert Route("b", "glm-web", listed(["glm-4-6-api-v1"])).target(INFO)


def test_without_a_provider_there_is_no_target() -> None:
    assert candidates(INFO, []) == ()
