"""Asks Gemini for numbers instead of words, and reads them: embeddings and token counts."""

from typing import Any

from core.errors import InvalidRequest, UpstreamBroken
from core.providers.foreign_json import count, mapping
from core.providers.token_counts import told
from schemas.codec import loads
from schemas.embedding import EmbeddingRequest, Embeddings

Wire = dict[str, Any]

MAX_INPUTS = 100


def wire_embeddings(request: EmbeddingRequest, model: str) -> Wire:
    """The body of `batchEmbedContents` for the resource `model`.

    Raises InvalidRequest for lists of token numbers, which Gemini does not take, and for more than 100 inputs.
    (https://ai.google.dev/api/embeddings#method:-models.batchembedcontents)
    """
    if len(request.inputs) > MAX_INPUTS:
        message = f"Gemini takes at most {MAX_INPUTS} inputs at a time, these are {len(request.inputs)}"
        raise InvalidRequest(message, param="input", code="invalid_value")
    size = {} if request.dimensions is None else {"outputDimensionality": request.dimensions}
    contents = [{"model": model, "content": {"parts": [{"text": _text(value)}]}, **size} for value in request.inputs]
    return {"requests": contents}


def _text(value: str | tuple[int, ...]) -> str:
    if not isinstance(value, str):
        raise InvalidRequest("Gemini takes text, no token numbers", param="input", code="invalid_value")
    return value


def read_embeddings(body: bytes) -> Embeddings:
    """The vectors in the order of the inputs. Raises UpstreamBroken."""
    try:
        answer = loads(body)
        vectors = tuple(tuple(float(number) for number in row["values"]) for row in answer["embeddings"])
    except (ValueError, KeyError, TypeError, OverflowError) as cause:
        raise UpstreamBroken("the provider sent something that is no list of embeddings") from cause
    return Embeddings(vectors, told(mapping(answer.get("usageMetadata")).get("promptTokenCount")))


def read_count(body: bytes) -> int:
    """The number of tokens in the answer to `countTokens`. Raises UpstreamBroken."""
    try:
        total = count(mapping(loads(body)).get("totalTokens"))
    except ValueError as cause:
        raise UpstreamBroken("the provider sent something that is no JSON") from cause
    if total is None or total < 0:
        raise UpstreamBroken("the provider sent no number of tokens")
    return total
