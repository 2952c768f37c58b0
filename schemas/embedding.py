"""Embeddings, whatever dialect they were asked for in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts, or lists of token numbers, to turn into vectors; `native` is the caller's own body."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    native: Mapping[str, Any]
    dimensions: int | None = None
    encoding: Literal["float", "base64"] = "float"


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector an input, in their order. `prompt_tokens` is None when the provider did not say, and so is
    `model`, its name for the one that made them."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    prompt_tokens: int | None = None
    model: str | None = field(default=None, compare=False)
