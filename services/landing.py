"""SoftLanding: cheaper models for callers whose budget is nearly spent."""

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from schemas.chat import ChatRequest
from schemas.origin import Origin
from services.routing import RoutingService
from services.spending import Spending


class SoftLanding:
    """Off without `models`. The client still reads the name that it asked for."""

    def __init__(self, models: Mapping[str, str], routing: RoutingService, spending: Spending) -> None:
        """`models` says by patterns, the first that fits, which model is served by which."""
        self._models = models
        self._routing = routing
        self._spending = spending

    def applied(self, request: ChatRequest, origin: Origin) -> ChatRequest:
        """The request for the cheaper model, if it is time for that. Raises ModelNotFound."""
        cheaper, spending = self.cheaper(request), self._spending
        if cheaper is None:
            return request
        if spending.near_its_end(origin.caller, origin.ip):
            return cheaper
        if spending.bounds_targets and spending.targets_near_their_end(
            self._routing.plan(request, origin.caller).targets
        ):
            return cheaper
        return request

    def cheaper(self, request: ChatRequest) -> ChatRequest | None:
        """The request for the cheaper model, None when nobody serves one; one for a provider by name stays as it is."""
        if not self._models or self._routing.names_instance(request.model):
            return None
        name = self._routing.canonical(request.model).lower()
        model = next((to for pattern, to in self._models.items() if fnmatchcase(name, pattern.lower())), None)
        if model is None or model == request.model or not self._routing.is_served(model):
            return None
        return replace(request, model=model)
