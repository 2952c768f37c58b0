"""Searches what the model says for configured patterns."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import structlog

from config.settings import PipelineSettings
from core.counting import TokenCounter
from core.pipeline.base import WITHOUT_CONTENT, Stage, begins_block
from core.pipeline.filter_rule import FilterRule, RuleSearch
from core.pipeline.source import close
from schemas.chat import UNSIGNED, ChatRequest
from schemas.stream import ChatChunk, Finished, ReasoningDelta, Signature, TextDelta


class ContentFilter(Stage):
    """Applies every pattern in turn to the answer and, apart from it, to the thinking; tool calls are left alone.

    `log` lets the text pass, `redact` writes the replacement instead, `block` ends the answer ahead of the match with
    the reason `content_filter`, as OpenAI does. What was found is logged by the pattern's name and count, never by its
    text. Thinking in which something was replaced loses its provider's signature, which would be a lie. Patterns come
    from the operator, who must see to it that none backtracks without bound.
    Raises ValueError that names the pattern when one is no regular expression.
    """

    def __init__(self, settings: PipelineSettings, counter: TokenCounter | None = None) -> None:
        super().__init__(settings, counter)
        chosen = settings.content_filter
        self._rules = tuple(FilterRule(pattern) for pattern in chosen.patterns) if chosen.enabled else ()

    def prepare(self, request: ChatRequest) -> ChatRequest:
        """The request, whose answer cannot be forwarded as it came when it has to be searched."""
        return replace(request, verbatim=False) if self._rules else request

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        return self._filtered(chunks) if self._rules else chunks

    def _filtered(self, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        hits: Counter[FilterRule] = Counter()
        try:
            yield from _apply(self._rules, hits, chunks)
        finally:
            log = structlog.get_logger(__name__)
            for rule, count in hits.items():
                log.info("content_filter_matched", pattern=rule.name, action=rule.action, count=count)


def _apply(
    rules: tuple[FilterRule, ...], hits: Counter[FilterRule], chunks: Iterator[ChatChunk]
) -> Iterator[ChatChunk]:
    run = _Run(rules, hits)
    like: TextDelta | ReasoningDelta | None = None
    for chunk in chunks:
        if isinstance(chunk, WITHOUT_CONTENT) and not begins_block(chunk):
            yield chunk
            continue
        if like is not None and type(chunk) is not type(like):
            yield from _made_like(like, run.end())
            run.altered = run.altered and isinstance(like, ReasoningDelta)
            like = None
        if not run.blocked and isinstance(chunk, (TextDelta, ReasoningDelta)):
            run.altered = run.altered and like is not None
            like = chunk
            yield from _made_like(chunk, run.feed(chunk.text))
        elif not run.blocked:
            yield _unsigned(chunk) if run.altered else chunk
            run.altered = False
        if run.blocked:
            close(chunks)
            yield Finished("content_filter", chunk.usage if isinstance(chunk, Finished) else None)
            return


def _made_like(chunk: TextDelta | ReasoningDelta, text: str) -> Iterator[ChatChunk]:
    if text == chunk.text:
        yield chunk
    elif text:
        yield ReasoningDelta(text, chunk.hidden) if isinstance(chunk, ReasoningDelta) else TextDelta(text)


def _unsigned(chunk: ChatChunk) -> ChatChunk:
    """The chunk; for a signature of the run that was altered, the gateway's own mark instead."""
    return Signature(UNSIGNED) if isinstance(chunk, Signature) and not chunk.redacted else chunk


class _Run:
    """One unbroken run of answer or of thinking, led through all rules in their order."""

    def __init__(self, rules: tuple[FilterRule, ...], hits: Counter[FilterRule]) -> None:
        self._rules = rules
        self._hits = hits
        self._searches = [RuleSearch(rule) for rule in rules]
        self.blocked = False
        self.altered = False
        """Something was replaced in this run, or in the thinking that has just ended."""

    def feed(self, text: str) -> str:
        """What may be sent after this piece."""
        return self._through(text, final=False)

    def end(self) -> str:
        """What was held back when the run ended; the next piece begins a new one."""
        text = self._through("", final=True)
        self._searches = [RuleSearch(rule) for rule in self._rules]
        return text

    def _through(self, text: str, *, final: bool) -> str:
        for search in self._searches:
            found = search.found
            text = search.feed(text, final=final or self.blocked)
            if search.found > found:
                self._hits[search.rule] += search.found - found
                # A later rule must still see what stands ahead of the blocked text, to its end.
                self.blocked = self.blocked or search.rule.action == "block"
                self.altered = self.altered or search.rule.action == "redact"
        return text
