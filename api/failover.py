"""Failover: which models are served by another for a while, and by hand."""

from flask import Blueprint, Response
from flask import request as current
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import InvalidRequest
from schemas.codec import dumps
from schemas.context import ENVIRON_KEY
from schemas.failover import FailoverState
from services import Services


class Order(BaseModel):
    """For how long a model is to be served by another."""

    model_config = ConfigDict(extra="forbid")

    minutes: float | None = Field(None, gt=0, le=10_080)


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("failover", __name__)
    failover, settings = services.failover, services.settings.failover

    def known(model: str) -> str:
        """The name of a model that somebody has, or had when it was moved. Raises ModelNotFound."""
        name = services.routing.canonical(model)
        if not failover.knows(name):
            services.routing.targets(name)
        return name

    def listing() -> Response:
        failover.sync()
        states = [state.model_dump(mode="json") for state in failover.states()]
        body = {
            "enabled": settings.enabled,
            "loss_threshold_usd": settings.loss_threshold,
            "window_minutes": settings.window_minutes,
            "cooldown_minutes": settings.cooldown_minutes,
            "data": states,
        }
        return _json(body)

    def one(model: str) -> Response:
        failover.sync()
        return _told(failover.state(known(model)))

    def activate(model: str) -> Response:
        name = services.routing.canonical(model)
        services.routing.targets(name)  # raises ModelNotFound for a model that nobody has
        if failover.stand_in(name) is None:
            raise InvalidRequest(f"No model stands in for {name!r}: see failover.models.", param="model")
        minutes = _order().minutes or settings.cooldown_minutes
        return _told(failover.activate(name, minutes * 60))

    def clear(model: str) -> Response:
        failover.sync()
        name = known(model)
        failover.clear(name)
        return _told(failover.state(name))

    bp.add_url_rule("/v1/failover", "listing", listing)
    bp.add_url_rule("/v1/failover/<path:model>", "one", one)
    bp.add_url_rule("/v1/failover/<path:model>", "activate", activate, methods=["POST"])
    bp.add_url_rule("/v1/failover/<path:model>", "clear", clear, methods=["DELETE"])
    return bp


def _order() -> Order:
    try:
        return Order.model_validate(current.environ[ENVIRON_KEY].body or {})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(map(str, problem["loc"])) or "body"
        raise InvalidRequest(f"{field}: {problem['msg']}.", param=field, code="invalid_value") from None


def _told(state: FailoverState) -> Response:
    return _json(state.model_dump(mode="json"))


def _json(value: object) -> Response:
    return Response(dumps(value), mimetype="application/json")
