"""Embeddings, in OpenAI's form."""

import struct
from base64 import b64encode
from functools import partial
from typing import Any

from flask import Blueprint, Response
from flask import request as current
from pydantic import ValidationError

from api.capacity_headers import capacity_headers
from api.client_watch import ClientWatch
from api.cost_headers import cost_headers
from api.header_values import header_value
from api.origin import origin_of
from core.errors import InvalidRequest
from schemas.codec import dumps
from schemas.context import ENVIRON_KEY, RequestContext
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.openai_embeddings import EmbeddingBody
from schemas.outcome import Outcome
from services import Services
from services.allowance_headers import allowance_headers


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("embeddings", __name__)

    def embed() -> Response:
        context: RequestContext = current.environ[ENVIRON_KEY]
        request = _parsed(context)
        context.outcome = outcome = Outcome(model=request.model, stream=False)
        try:
            watching = partial(ClientWatch, current.environ)
            embeddings = services.embeddings.embed(request, origin_of(current), outcome, watching)
        finally:
            context.headers.update(capacity_headers(outcome.capacity))
            context.headers.update(allowance_headers("tokens", outcome.allowance))
        _tell(context, outcome)
        return Response(dumps(_rendered(request, embeddings)), mimetype="application/json")

    for version in ("v1", "v2"):
        bp.add_url_rule(f"/{version}/embeddings", "create", embed, methods=["POST"])
    return bp


def _parsed(context: RequestContext) -> EmbeddingRequest:
    if context.body is None:
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    try:
        body = EmbeddingBody.model_validate(context.body)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = str(problem["loc"][0])
        missing = problem["type"] == "missing"
        code = "missing_required_parameter" if missing else "invalid_value"
        raise InvalidRequest(f"{field}: {problem['msg']}.", param=field, code=code) from None
    return EmbeddingRequest(body.model, body.inputs(), context.body, body.dimensions, body.encoding_format or "float")


def _rendered(request: EmbeddingRequest, embeddings: Embeddings) -> dict[str, Any]:
    packed = request.encoding == "base64"
    rows = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
        for index, vector in enumerate(embeddings.vectors)
    ]
    tokens = embeddings.prompt_tokens
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": request.model, "usage": usage}


def _packed(vector: tuple[float, ...]) -> str:
    """Little-endian 32-bit floats in base64, which is what OpenAI's SDKs ask for."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _tell(context: RequestContext, outcome: Outcome) -> None:
    context.headers["X-Gateway-Provider"] = header_value(str(outcome.provider))
    context.headers["X-Gateway-Upstream-Model"] = header_value(str(outcome.upstream_model))
    context.headers["X-Gateway-Attempts"] = str(len(outcome.attempts))
    context.headers.update(cost_headers(outcome))
