"""When a model whose prompt cache is lost is served by another, and by which."""

from pydantic import Field

from config.group import Group
from config.model_settings import ModelMap

DEFAULT_STAND_INS = {
    "claude-haiku-*": "glm-4.5-air",
    "claude-*": "glm-4.7",
    "gpt-*-mini": "glm-4.5-air",
    "gpt-*-nano": "glm-4.5-air",
    "gpt-*": "glm-4.7",
}


class FailoverSettings(Group):
    """Losses are seen whether or not this is `enabled`; only then do they move requests.

    A model moves when what it lost within `window_minutes` is above `loss_threshold` USD, for `cooldown_minutes`.
    `models` says by patterns which model stands in.
    """

    enabled: bool = False
    loss_threshold: float = Field(1.50, ge=0, allow_inf_nan=False)
    cooldown_minutes: float = Field(15, gt=0, le=10_080)
    window_minutes: float = Field(15, gt=0, le=10_080)
    models: ModelMap = DEFAULT_STAND_INS
