"""Ends the answer at the client's stop words, for providers that honour none or only some of them."""

from collections.abc import Iterator

from core.pipeline.base import WITHOUT_CONTENT, Stage, begins_block, is_forwarded
from core.pipeline.source import close
from schemas.chat import ChatRequest
from schemas.stream import ChatChunk, Finished, TextDelta


class StopWords(Stage):
    """Cuts the visible answer ahead of the stop word that is complete first; neither it nor anything later is sent.

    Only what may be the beginning of a stop word is held back. The end is `stop` without usage, and the source is
    closed, so that the provider does not go on writing.
    """

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        words = tuple(word for word in request.sampling.stop if word)
        return _until_stop(request, words, chunks) if words else chunks


def _until_stop(request: ChatRequest, words: tuple[str, ...], chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
    search = _Search(words)
    for chunk in chunks:
        if isinstance(chunk, TextDelta) and not is_forwarded(request, chunk):
            text = search.feed(chunk.text)
            if text == chunk.text:
                yield chunk
            elif text:
                yield TextDelta(text)
            if search.found:
                close(chunks)
                yield Finished("stop", stop_sequence=search.found)
                return
            continue
        if (begins_block(chunk) or not isinstance(chunk, WITHOUT_CONTENT)) and (text := search.end()):
            yield TextDelta(text)
        yield chunk


class _Search:
    """Looks for all words at once in text that comes in pieces."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = tuple(_Word(word) for word in words)
        self._held = ""
        self.found: str | None = None

    def feed(self, text: str) -> str:
        """The text that stands ahead of any stop word, found or begun."""
        hits = [(end, -len(word.text), word.text) for word in self._words if (end := word.feed(text))]
        text, held_before = self._held + text, len(self._held)
        if hits:
            end, length, self.found = min(hits)
            return text[: held_before + end + length]
        cut = len(text) - max(word.matched for word in self._words)
        self._held = text[cut:]
        return text[:cut]

    def end(self) -> str:
        """What was held back; the search begins anew."""
        held, self._held = self._held, ""
        for word in self._words:
            word.matched = 0
        return held


class _Word:
    """One word with its Knuth-Morris-Pratt table, so that text is looked at once however it is cut."""

    __slots__ = ("_fallback", "matched", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.matched = 0
        self._fallback = [0] * (len(text) + 1)
        length = 0
        for at in range(1, len(text)):
            while length and text[at] != text[length]:
                length = self._fallback[length]
            length += text[at] == text[length]
            self._fallback[at + 1] = length

    def feed(self, text: str) -> int:
        """The position in `text` right behind the word where it first ends, or 0; `matched` says how much has come."""
        at = 0
        word, matched = self.text, self.matched
        while at < len(text):
            if not matched and (at := text.find(word[0], at)) < 0:
                break
            while matched and word[matched] != text[at]:
                matched = self._fallback[matched]
            matched += word[matched] == text[at]
            at += 1
            if matched == len(word):
                self.matched = 0
                return at
        self.matched = matched
        return 0
