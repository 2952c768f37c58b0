"""The simulated provider as a WSGI application."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import gevent

from demo import open_platform, web
from demo.answers import Reply, answer
from demo.cache import PrefixMemory
from demo.faults import Fault, asked_for, fault
from demo.prompt import Prompt, from_platform, from_web
from demo.tokens import count_message, count_tools
from demo.validation import platform_fault, web_fault
from schemas.codec import dumps, loads

Json = dict[str, Any]
Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that is one JSON document."""

    body: Json
    status: int = 200


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is a stream of events."""

    events: Iterator[Json]
    ending: bytes = b""


class Simulator:
    """Speaks the open platform's form under `/api/paas/v4`, the web form under `/api`; `delay` seconds an event."""

    def __init__(self, delay: float = 0.0, now: Callable[[], float] = time.time) -> None:
        self._delay = delay
        self._now = now
        self._memory = PrefixMemory()
        self._routes: Mapping[tuple[str, str], Callable[[Environ], Whole | Stream]] = {
            ("POST", "/api/paas/v4/chat/completions"): self._platform_chat,
            ("GET", "/api/paas/v4/models"): self._platform_models,
            ("POST", "/api/chat/completions"): self._web_chat,
            ("GET", "/api/models"): self._web_models,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        view = self._routes.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]), self._unknown)
        result = view(environ)
        if isinstance(result, Stream):
            start_response("200 OK", [("Content-Type", "text/event-stream; charset=utf-8")])
            return self._paced(result)
        body = dumps(result.body)
        headers = [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response(f"{result.status} {_phrase(result.status)}", headers)
        return [body]

    def _platform_chat(self, environ: Environ) -> Whole | Stream:
        body, refusal = self._accepted(environ, platform_fault)
        if refusal is not None:
            return Whole(open_platform.error_body(refusal), refusal.status)
        prompt = from_platform(body)
        if refusal := asked_for(prompt.asked, self._now()):
            return Whole(open_platform.error_body(refusal), refusal.status)
        reply, counts, head = self._answer(prompt, environ)
        if body.get("stream"):
            return Stream(open_platform.events(reply, head, counts, body.get("tool_stream") is True), _DONE)
        return Whole(open_platform.completion(reply, head, counts))

    def _web_chat(self, environ: Environ) -> Whole | Stream:
        body, refusal = self._accepted(environ, web_fault)
        if refusal is not None:
            return Whole(web.error_body(refusal), refusal.status)
        prompt = from_web(body)
        if refusal := asked_for(prompt.asked, self._now()):
            return Whole(web.error_body(refusal), refusal.status)
        reply, counts, head = self._answer(prompt, environ)
        return Stream(web.events(reply, head, counts))

    def _platform_models(self, environ: Environ) -> Whole:
        if not _account(environ):
            return self._unauthorized(open_platform.error_body)
        return Whole(open_platform.model_list(int(self._now())))

    def _web_models(self, environ: Environ) -> Whole:
        return Whole(web.model_list()) if _account(environ) else self._unauthorized(web.error_body)

    def _unknown(self, _environ: Environ) -> Whole:
        return Whole(open_platform.error_body(fault("1222", self._now())), 404)

    def _unauthorized(self, error_body: Callable[[Fault], Json]) -> Whole:
        refusal = fault("1001", self._now())
        return Whole(error_body(refusal), refusal.status)

    def _accepted(self, environ: Environ, problem: Callable[[Any], Fault | None]) -> tuple[Json, Fault | None]:
        if not _account(environ):
            return {}, fault("1001", self._now())
        try:
            body = loads(environ["wsgi.input"].read())
        except ValueError:
            return {}, fault("1210", self._now())
        return body, problem(body)

    def _answer(self, prompt: Prompt, environ: Environ) -> tuple[Reply, Json, Json]:
        reply = answer(prompt)
        tool_tokens = count_tools(prompt.tool_definitions)
        blocks = [(dumps([prompt.model, prompt.tool_definitions]), tool_tokens)]
        blocks += [(dumps(message), count_message(message)) for message in prompt.messages]
        cached = self._memory.recall(_account(environ), blocks)
        counts = open_platform.usage(reply, sum(tokens for _, tokens in blocks), cached)
        return reply, counts, {"id": uuid.uuid4().hex, "created": int(self._now()), "model": prompt.model}

    def _paced(self, stream: Stream) -> Iterator[bytes]:
        for event in stream.events:
            yield b"data: " + dumps(event) + b"\n\n"
            if self._delay:
                gevent.sleep(self._delay)
        if stream.ending:
            yield stream.ending


def _account(environ: Environ) -> str:
    scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Error"
