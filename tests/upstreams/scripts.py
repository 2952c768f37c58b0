"""Which script an upstream plays for which request."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.upstreams import anthropic_answers as anthropic
from tests.upstreams import gemini_answers as gemini
from tests.upstreams import ollama_answers as ollama
from tests.upstreams import openai_answers as openai
from tests.upstreams.answers import glm_web_stream, models_body
from tests.upstreams.forms import ANTHROPIC, GEMINI, GLM, OLLAMA, OPENAI, Form
from tests.upstreams.steps import Step, stream, whole
from tests.upstreams.wire import Request

Behaviour = Callable[[Request], Sequence[Step]]


@dataclass
class Entry:
    """One script: for how many requests it stands (None: all), and which requests it is for."""

    behaviour: Behaviour
    times: int | None
    fits: Callable[[Request], bool]


class Scripts:
    """Scripts for the coming requests, in the order they were given; the lasting ones come after, the newest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Entry] = []
        self._lasting: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Take a script in."""
        with self._lock:
            if entry.times is None:
                self._lasting.insert(0, entry)
            else:
                self._queue.append(entry)

    def clear(self) -> None:
        """Forget all scripts."""
        with self._lock:
            self._queue.clear()
            self._lasting.clear()

    @property
    def pending(self) -> int:
        """For how many coming requests scripts stand in the queue."""
        with self._lock:
            return sum(entry.times or 0 for entry in self._queue)

    def choose(self, request: Request) -> Sequence[Step]:
        """The script for `request`: counted down when it is from the queue, a plain answer when nothing fits."""
        with self._lock:
            entry = next((entry for entry in [*self._queue, *self._lasting] if entry.fits(request)), None)
            if entry is not None and entry.times is not None:
                entry.times -= 1
                if not entry.times:
                    self._queue.remove(entry)
        return entry.behaviour(request) if entry is not None else plain_answer(request)


CHATS: tuple[tuple[str, Form], ...] = (
    ("/v1/messages", ANTHROPIC),
    (":streamGenerateContent?alt=sse", GEMINI),
    ("/api/chat", OLLAMA),
    ("/v4/chat/completions", GLM),
    ("/chat/completions", OPENAI),
)
"""The form of each path of a chat, by how it ends; the first that fits counts."""
ONCE: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("/v1/messages/count_tokens", anthropic.count_body),
    (":countTokens", gemini.count_body),
    (":batchEmbedContents", gemini.embeddings_body),
    ("/api/embed", ollama.embeddings_body),
    ("/embeddings", openai.embeddings_body),
    ("/api/tags", ollama.tags_body),
    ("/v1/models?limit=1", anthropic.models_body),
    ("/models?pageSize=1", gemini.models_body),
    ("/models", models_body),
)
"""What has one short answer, by how the path ends."""


def plain_answer(request: Request) -> Sequence[Step]:
    """What a provider in good health answers, in the form that the path asks for."""
    path = request.path
    if path.startswith("/api/chat/") and request.method == "POST":
        return stream(glm_web_stream())
    short = next((body for ending, body in ONCE if path.endswith(ending)), None)
    if short is not None:
        return whole(short())
    form = next((form for ending, form in CHATS if path.endswith(ending)), None)
    if form is not None and request.method == "POST":
        return form.answer(request)
    return whole(b'{"error":{"code":"1222","message":"the API does not exist"}}', 404)
