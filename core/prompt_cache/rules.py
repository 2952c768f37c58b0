"""What the prompt cache of each provider promises, as one table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

from schemas.model import ModelInfo

BEST_EFFORT_LIFE = 300.0
"""How long a cache that promises nothing is counted on, in seconds, so that it is not blamed for what it never said."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How one cache behaves.

    `life` is how long a prefix is kept, in seconds from the start of the request that wrote or read it, `lives` the
    same by the ttl that a mark names. `minimum` is the shortest prompt that is cached and `granularity` the step in
    which less than a whole prompt is read, both in tokens. `at_marks`: what is kept ends at a mark; of those the end of
    a prompt is one, unless it is `marked_only`. `look_back` is how many blocks ahead of its own marks a request finds
    those of an earlier one, None for all. `write_fee`: writing has its price and is reported.
    """

    life: float = BEST_EFFORT_LIFE
    lives: Mapping[str, float] = field(default_factory=dict)
    minimum: int = 1024
    granularity: int = 1
    at_marks: bool = False
    marked_only: bool = False
    look_back: int | None = None
    write_fee: bool = False
    best_effort: bool = False

    def life_of(self, ttl: str) -> float:
        """For how many seconds a prefix can be counted on whose mark names this ttl, "" for none."""
        return min(self.lives.get(ttl, self.life), BEST_EFFORT_LIFE if self.best_effort else inf)

    def usual_life(self, *, long: bool) -> float:
        """For how many seconds a prompt can be counted on whose marks ask for the usual time, or the longest."""
        life = max(self.lives.values(), default=self.life) if long else self.life
        return min(life, BEST_EFFORT_LIFE if self.best_effort else inf)


RULES: Mapping[str, Rules] = {
    "anthropic": Rules(
        lives={"5m": 300.0, "1h": 3600.0},
        minimum=4096,  # that of the models which ask for the most
        at_marks=True,
        marked_only=True,
        look_back=20,
        write_fee=True,
    ),
    "openai": Rules(life=1800.0, lives={"30m": 1800.0, "12h": 43_200.0}, at_marks=True, write_fee=True),
    "openai-before-5.6": Rules(granularity=128),
    "glm": Rules(best_effort=True),  # neither a life nor a minimum nor a step is documented
    "groq": Rules(life=3600.0, best_effort=True),
    "grok": Rules(minimum=128, granularity=128, best_effort=True),
    "gemini": Rules(minimum=4096, best_effort=True),
    "deepseek": Rules(life=3600.0, minimum=64, granularity=64),
    "other": Rules(best_effort=True),
}
"""By the maker of the cache. A minimum is for models of which the catalogue says none."""

MAKERS: Mapping[str, str] = {
    "glm": "glm",
    "glm-anthropic": "glm",
    "glm-web": "glm",
    "anthropic": "anthropic",
    "groq": "groq",
    "grok": "grok",
    "gemini": "gemini",
    "deepseek": "deepseek",
}
"""Whose cache it is, by kind of provider; all other kinds have that of the model's maker."""

MODELS: tuple[tuple[str, str], ...] = (
    ("claude", "anthropic"),
    ("gpt-oss", "other"),
    ("gpt-", "openai"),
    ("glm-", "glm"),
    ("gemini-", "gemini"),
    ("grok-", "grok"),
    ("deepseek-", "deepseek"),
)
"""Whose cache it is, by what stands in a model's name; the first that fits counts."""

FAMILIES: Mapping[str, str] = {
    "glm": "zhipu",
    "glm-anthropic": "zhipu",
    "glm-web": "zhipu",
    "ohmygpt": "ohmygpt",
    "ohmygpt-anthropic": "ohmygpt",
}
"""Kinds that are one provider in several forms."""

GENERIC = frozenset({"openai-compatible", "anthropic-compatible"})
"""Kinds of which every instance may be another provider."""

STICKY = frozenset({"openrouter"})
"""Kinds that keep a conversation with one upstream for some minutes only, however long that one's cache lives."""

FIRST_WITH_MARKS = (5, 6)
_GPT = re.compile(r"gpt-(\d+)(?:\.(\d+))?")


def family_of(kind: str, instance: str) -> str:
    """The provider that an instance of that kind is: caches are never shared between two families."""
    return instance if kind in GENERIC else FAMILIES.get(kind, kind)


def rules_of(kind: str, model: str, info: ModelInfo | None = None) -> Rules | None:
    """The rules for a model by the name its provider knows it by; None when nothing is cached for it.

    `info` is what the catalogue knows of it.
    """
    if info is not None and "prompt_cache" not in info.abilities:
        return None
    maker = _maker(kind, model.lower())
    if kind in STICKY and maker == "other":
        return None  # nobody says that these have a cache, so none is blamed for having lost anything
    rules = RULES[maker]
    if info is not None and info.min_cacheable is not None:
        rules = replace(rules, minimum=info.min_cacheable)
    return replace(rules, best_effort=True) if kind in STICKY else rules


def _maker(kind: str, model: str) -> str:
    maker = MAKERS.get(kind) or next((maker for part, maker in MODELS if part in model), "other")
    if maker != "openai" and kind != "openai":
        return maker
    version = _GPT.search(model)
    modern = version is not None and (int(version[1]), int(version[2] or 0)) >= FIRST_WITH_MARKS
    return "openai" if modern else "openai-before-5.6"
