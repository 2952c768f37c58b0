"""Chat completions: /v1 with the thinking in tags, /v2 with the answer only."""

from flask import Blueprint, Request, Response
from flask import request as current

from api.continued import Continuing
from api.dialects.openai_chat import OpenAIChat
from api.dialects.openai_chat_history import OpenAIChatHistory
from api.inbound import inbound
from api.respond import answer
from core.errors import InvalidRequest
from schemas.chat import ThinkingMode
from services import Services

MODES: dict[str, ThinkingMode] = {"tags": "tags", "field": "field", "hide": "hide"}


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("chat", __name__)
    dialect = OpenAIChat()
    continuing = Continuing(dialect, OpenAIChatHistory(), services.conversations, in_body=True)
    settings = services.settings

    def complete(default: ThinkingMode) -> Response:
        parsed = continuing.parse(current, inbound(current, settings.default_model, _mode(current, default)))
        return answer(current, parsed.request, dialect, services.chat, settings.stream.write_timeout, parsed.turn)

    bp.add_url_rule("/v1/chat/completions", "v1", lambda: complete("tags"), methods=["POST"])
    bp.add_url_rule("/v2/chat/completions", "v2", lambda: complete("hide"), methods=["POST"])
    return bp


def _mode(http: Request, default: ThinkingMode) -> ThinkingMode:
    wanted = http.headers.get("X-Thinking")
    if wanted is None:
        return default
    mode = MODES.get(wanted.strip().lower())
    if mode is None:
        raise InvalidRequest("X-Thinking must be tags, field or hide.", param="X-Thinking", code="invalid_value")
    return mode
