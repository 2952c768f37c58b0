"""What the configuration may say of where requests go: the rules, and the breaker in front of each target."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from config.group import Group, Seconds

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class PromptSizeSettings(Group):
    """Bounds of a prompt's estimated size in tokens, neither of them included."""

    above: int | None = Field(None, ge=0)
    below: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _some_size_fits(self) -> "PromptSizeSettings":
        if self.above is not None and self.below is not None and self.above + 1 >= self.below:
            raise ValueError(f"no size is above {self.above} and below {self.below}")
        return self


class MatchSettings(Group):
    """What a request must be like; what is not said is not looked at, and all that is said must hold.

    `models` and the values of `headers` are patterns in which * is any text, in any case; of several models or
    `callers` (ids, names of keys, or roles) one is enough.
    """

    models: tuple[Text, ...] = ()
    callers: tuple[Text, ...] = ()
    headers: dict[Text, Text] = Field(default_factory=dict)
    tools: bool | None = None
    images: bool | None = None
    stream: bool | None = None
    prompt_tokens: PromptSizeSettings = PromptSizeSettings()


class RouteTargetSettings(Group):
    """A model, or `instance/model`, and its share of the conversations; 0 takes it out."""

    model: Text
    weight: float = Field(1, ge=0, allow_inf_nan=False)


class RouteSettings(Group):
    """One rule. Without `targets` the model that was asked for is the target.

    `fallbacks` are tried in order after them; `context_fallback` when the prompt does not fit them. `strict` refuses a
    request of which a part cannot be carried.
    """

    name: str = Field(min_length=1, max_length=64)
    match: MatchSettings = MatchSettings()
    targets: tuple[RouteTargetSettings, ...] = ()
    fallbacks: tuple[Text, ...] = ()
    context_fallback: Text | None = None
    strict: bool = False

    @model_validator(mode="after")
    def _has_a_target(self) -> "RouteSettings":
        if self.targets and not any(target.weight for target in self.targets):
            raise ValueError("all targets have the weight 0")
        return self


class CircuitSettings(Group):
    """When a target is left alone: after so many `failures` in a row, or when of at least `min_calls` in `window`
    seconds the share `failure_share` failed. It is left alone for `open_seconds`, twice as long each time its one probe
    fails, up to `max_open_seconds`."""

    failures: int = Field(5, ge=1)
    failure_share: Share = 0.5
    min_calls: int = Field(20, ge=1)
    window: Seconds = 60
    open_seconds: Seconds = 15
    max_open_seconds: Seconds = 300

    @model_validator(mode="after")
    def _ordered(self) -> "CircuitSettings":
        if self.max_open_seconds < self.open_seconds:
            raise ValueError("max_open_seconds must not be below open_seconds")
        return self


def _ordered_routes(routes: tuple[RouteSettings, ...]) -> tuple[RouteSettings, ...]:
    names = [route.name for route in routes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two routes are called {twice!r}")
    anything = next((at for at, route in enumerate(routes) if route.match == MatchSettings()), None)
    if anything is not None and anything < len(routes) - 1:
        raise ValueError(f"{names[anything]!r} matches every request, so {names[anything + 1]!r} is never reached")
    return routes


Routes = Annotated[tuple[RouteSettings, ...], AfterValidator(_ordered_routes)]
"""The rules in their order, of which the first that matches counts; one that matches everything comes last."""
