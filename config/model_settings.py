"""What the configuration may say of models: their own properties, and names that stand for others."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.group import Group

Text = Annotated[str, Field(min_length=1)]
Tokens = Annotated[int, Field(ge=1)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ability = Literal[
    "streaming",
    "tools",
    "vision",
    "documents",
    "thinking",
    "json_object",
    "json_schema",
    "prompt_cache",
    "tool_stream",
    "embeddings",
]
Thinking = Literal["none", "switch", "effort", "budget", "adaptive", "forced"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class PriceSettings(Group):
    """USD per million tokens from the day `since` on; None means unknown, which is not free.

    `above` makes it the price of requests whose whole prompt has more tokens than that. `provider` is the instance, or
    the kind of instances, whose price alone it is.
    """

    since: date = date(1970, 1, 1)
    input: Dollars | None = None
    cached: Dollars | None = None
    output: Dollars | None = None
    write_short: Dollars | None = None
    write_long: Dollars | None = None
    above: int = Field(0, ge=0)
    provider: Text | None = None


class ModelSettings(Group):
    """One model, by its id: what is given replaces what the catalogue says, or describes a model it does not know.

    `upstream` adds to the names the catalogue has, by provider instance or kind. `alias_of` makes the name stand for
    another model, and then nothing else may be said.
    """

    alias_of: Text | None = None
    aliases: tuple[Text, ...] | None = None
    owner: Text | None = None
    context: Tokens | None = None
    max_output: Tokens | None = None
    abilities: tuple[Ability, ...] | None = None
    thinking: Thinking | None = None
    upstream: dict[str, Text] = Field(default_factory=dict)
    prices: tuple[PriceSettings, ...] | None = None
    refuses: tuple[Text, ...] | None = None
    min_cacheable: int | None = Field(None, ge=0)
    efforts: tuple[Effort, ...] | None = None
    surcharges: dict[str, Dollars] | None = None

    @model_validator(mode="after")
    def _alias_alone(self) -> "ModelSettings":
        others = set(type(self).model_fields) - {"alias_of"}
        if self.alias_of is not None and any(getattr(self, name) not in (None, {}) for name in others):
            raise ValueError("a model with alias_of has no other settings: it is the model it stands for")
        return self


def _patterns(given: dict[str, str]) -> dict[str, str]:
    for pattern, model in given.items():
        if not pattern:
            raise ValueError("an empty pattern fits no model")
        if "*" in model:
            raise ValueError(f"{pattern} must lead to the name of one model, without *")
    return given


ModelMap = Annotated[dict[str, Text], AfterValidator(_patterns)]
"""Patterns of model names, in which * is any text, and the model that answers for those nobody here serves."""
