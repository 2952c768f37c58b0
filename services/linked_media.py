"""Fetches what a client has linked for a provider that can be shown data only."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from gevent import spawn
from gevent.lock import BoundedSemaphore

from config.settings import LinkSettings
from core.cancel import Cancellation
from core.clock import Clock
from core.errors import GatewayError, UnusableLink
from core.fetcher import TOO_LONG, Bounds
from core.media_kinds import document_type, image_type
from core.waiting import join
from schemas.chat import ChatRequest, DocumentPart, ImagePart, Message, Part
from schemas.model import Target
from schemas.stream import ChatChunk, KeepAlive
from services.fetched import Fetched
from services.linked_native import with_data
from services.run import Run
from services.site import Site

AT_A_TIME = 4
"""How many requests of a worker fetch at the same time, which bounds the memory for it."""
TICK_SECONDS = 0.5
ACCEPT = {"image": "image/png, image/jpeg, image/webp, image/gif", "document": "application/pdf"}
SCHEMES = ("http://", "https://")
KINDS = {"image": "an image (PNG, JPEG, GIF or WebP)", "document": "a PDF"}


class Fetches(Protocol):
    """Whoever gets what is behind a link."""

    def fetch(self, url: str, accept: str, bounds: Bounds, cancel: Cancellation) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One link, what is expected there, and where in the request it stands."""

    url: str = field(repr=False)
    kind: str
    place: str


class LinkedMedia:
    """Holds nothing of a request; what was fetched for it is kept by its run."""

    def __init__(self, settings: LinkSettings, fetcher: Fetches, clock: Clock) -> None:
        self._settings = settings
        self._fetcher = fetcher
        self._clock = clock
        self._fetched = Fetched(settings.kept_bytes, clock)
        self._at_work = BoundedSemaphore(AT_A_TIME)

    def bring(self, run: Run, target: Target, site: Site) -> Iterator[ChatChunk]:
        """Fetch what the provider wants as data, with signs of life meanwhile. Raises UnusableLink."""
        wanted = self._missing(run, target, site) if self._settings.fetch else []
        if not wanted:
            return
        if len(wanted) > self._settings.max_links:
            raise _refused(wanted[-1], f"a request may have {self._settings.max_links} links that must be fetched")
        began = self._clock.monotonic()
        deadline = began + self._settings.timeout
        job = spawn(self._fetch, run, wanted, deadline)
        try:
            while not join(job, TICK_SECONDS, run.call.cancel):
                now = self._clock.monotonic()
                if now >= deadline:
                    raise _refused(wanted[0], TOO_LONG)
                if run.call.signs.due(now):
                    yield KeepAlive()
        finally:
            job.kill(block=False)
            run.outcome.fetch_seconds += self._clock.monotonic() - began
        if isinstance(job.value, GatewayError):
            raise job.value

    def inlined(self, run: Run, request: ChatRequest, target: Target, site: Site) -> ChatRequest:
        """The request with data in the place of what was fetched, where the provider wants it so."""
        if not run.fetched:
            return request

        def shown(part: Part) -> Part:
            data = run.fetched.get(_link_of(part) or "")
            if data is None or not isinstance(part, (ImagePart, DocumentPart)):
                return part
            return replace(part, url=data) if site.wants_data(request, target, part) else part

        def told(message: Message) -> Message:
            return replace(message, parts=tuple(map(shown, message.parts)))

        messages = tuple(map(told, request.messages))
        if not site.inline_links:
            return replace(request, messages=messages)
        # The bytes as they came are not what is sent any more.
        native = replace(request.native, body=with_data(request.native.body, run.fetched), raw=b"")
        return replace(request, messages=messages, native=native)

    def _missing(self, run: Run, target: Target, site: Site) -> list[Wanted]:
        """Each link once that is not fetched yet."""
        found: dict[str, Wanted] = {}
        for index, message in enumerate(run.request.messages):
            for number, part in enumerate(message.parts):
                url = _link_of(part)
                if url is None or url in run.fetched or not isinstance(part, (ImagePart, DocumentPart)):
                    continue
                if not site.wants_data(run.request, target, part):
                    continue
                kind = "image" if isinstance(part, ImagePart) else "document"
                found.setdefault(url, Wanted(url, kind, f"messages[{index}].content[{number}]"))
        return list(found.values())

    def _fetch(self, run: Run, wanted: list[Wanted], deadline: float) -> GatewayError | None:
        """Fetch one after the other; the error is returned, as nobody catches what a greenlet raises."""
        tenant, left = run.call.origin.tenant, self._settings.max_bytes
        with self._at_work:
            for link in wanted:
                text = self._fetched.find(tenant, link.url)
                try:
                    text = text or self._data_url(link, Bounds(left, deadline))
                except GatewayError as error:
                    return _refused(link, error.message)
                self._fetched.keep(tenant, link.url, text)
                run.fetched[link.url] = text
                left -= len(text) * 3 // 4
        return None

    def _data_url(self, link: Wanted, bounds: Bounds) -> str:
        data = self._fetcher.fetch(link.url, ACCEPT[link.kind], bounds, Cancellation())
        # Its server may call it what it likes: what is none is not passed on, as it may be anything.
        kind = image_type(data) if link.kind == "image" else document_type(data)
        if kind is None:
            raise UnusableLink(f"what is there is not {KINDS[link.kind]}")
        return f"data:{kind};base64,{b64encode(data).decode()}"


def _refused(link: Wanted, why: str) -> UnusableLink:
    message = f"{link.place}: the provider needs this {link.kind} as data, and its link cannot be fetched: {why}."
    return UnusableLink(message, param=link.place)


def _link_of(part: Part) -> str | None:
    """The address of an image or a document that is given by it."""
    url = part.url if isinstance(part, (ImagePart, DocumentPart)) else None
    return url if url is not None and url[:8].lower().startswith(SCHEMES) else None
