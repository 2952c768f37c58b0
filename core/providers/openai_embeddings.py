"""Reads embeddings in OpenAI's shape."""

import struct
from base64 import b64decode
from typing import Any

from core.errors import UpstreamBroken, UpstreamServerError
from core.providers.openai_faults import fault, read_said
from core.providers.token_counts import told
from schemas.codec import loads
from schemas.embedding import Embeddings


def read_embeddings(body: bytes) -> Embeddings:
    """The vectors in the order of the inputs, whether they come as floats or as base64. Raises UpstreamBroken."""
    try:
        answer = loads(body)
        if isinstance(answer, dict) and "data" not in answer and (said := read_said(answer)) is not None:
            raise fault(UpstreamServerError, said)
        rows = sorted(answer["data"], key=lambda row: row.get("index", 0))
        vectors = tuple(_vector(row["embedding"]) for row in rows)
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as cause:
        raise UpstreamBroken("the provider sent something that is no list of embeddings") from cause
    usage, model = answer.get("usage"), answer.get("model")
    tokens = told(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return Embeddings(vectors, tokens, model if isinstance(model, str) else None)


def _vector(value: Any) -> tuple[float, ...]:
    if isinstance(value, str):
        packed = b64decode(value, validate=True)
        return struct.unpack(f"<{len(packed) // 4}f", packed)
    return tuple(float(number) for number in value)
