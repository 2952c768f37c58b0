"""One try at one target with one credential."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from uuid import uuid4

from config.settings import StreamSettings
from core.clock import Clock
from core.errors import CannotCarry, ClientGone, GatewayError, InternalError, InvalidRequest
from core.exchange import Exchange, Patience
from core.providers.base import UpstreamRequest
from core.transport import Transport
from schemas.credential import Credential
from schemas.model import Target
from schemas.outcome import Attempt
from schemas.stream import ChatChunk, Finished, KeepAlive, Started
from services.blame import scrub, whose
from services.circuits import Permit
from services.gate import gated
from services.linked_media import LinkedMedia
from services.refusals import Refusals
from services.run import Run
from services.site import Lease, Site
from services.upstream_events import events_of

BETA_FLAG = "anthropic-beta."
"""A flag is a client's wish for what it may use, and no part of what it says."""


class Attempts:
    """Makes them, and writes down in the run what became of each."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        transport: Transport,
        stream: StreamSettings,
        clock: Clock,
        refusals: Refusals,
        media: LinkedMedia,
        told: Callable[[Attempt], None] = lambda _: None,
    ) -> None:
        """`told` is told of each as soon as it has ended: the answer of another may take long."""
        self._told = told
        self._sites = sites
        self._transport = transport
        self._stream = stream
        self._clock = clock
        self._refusals = refusals
        self._media = media

    def chunks(self, run: Run, target: Target, lease: Lease, permit: Permit) -> Iterator[ChatChunk]:
        """The chunks of its answer; raises what it fails with. The lease is given back with a failure only."""
        began = run.trying_since = self._clock.monotonic()
        run.target, run.lease, run.permit, run.mended = target, lease, permit, False
        run.first_content, run.unheard, run.sent = None, False, None
        run.outcome.provider, run.outcome.upstream_model = target.provider, target.model
        run.outcome.billed_model = target.info.id
        run.outcome.credential = lease.credential.id
        run.overflows = lease.overflows
        run.account = lease.credential.account or lease.credential.id
        run.trace = run.call.origin.trace.attempt(
            "chat", target.provider, target.model, lease.credential.id, run.request
        )
        error: str | None = None
        try:
            yield from self._exchange(run, target, lease.credential)
        except GatewayError as failure:
            scrub(failure, lease.credential)
            error, run.lease = failure.code or failure.type, None
            if run.sent is None and isinstance(failure, InvalidRequest):
                lease.decline()
            else:
                lease.fail(failure, self._clock.monotonic() - began)
            if run.outcome.capacity is not None:
                run.outcome.capacity = self._sites[target.provider].capacity(target.model)
            run.broken = lease if run.committed else None
            if not run.committed:
                permit.failed(failure, self._sites[target.provider].host(lease.credential))
            raise
        except GeneratorExit:
            error = None if run.committed else ClientGone.code
            raise
        except Exception:
            error = InternalError.code
            raise
        finally:
            seconds = self._clock.monotonic() - began
            permit.release()
            run.trying_since = None
            run.outcome.upstream_seconds += seconds
            tried = (target.provider, target.model, lease.credential.id)
            run.outcome.attempts.append(Attempt(*tried, seconds, error, run.first_content))
            self._told(run.outcome.attempts[-1])
            run.trace.ended(error)

    def _exchange(self, run: Run, target: Target, credential: Credential) -> Iterator[ChatChunk]:
        site = self._sites[target.provider]
        provider = site.at(credential.id).provider
        # A client may repeat its own id, but a provider may demand a new one for every request (GLM's code 1231).
        attempt_id = f"{run.call.request_id[:52]}-{uuid4().hex[:10]}"
        request = self._refusals.applied(target.provider, run.request)
        request = self._media.inlined(run, request, target, site)
        upstream = provider.build(request, target, credential, attempt_id)
        run.outcome.dropped = upstream.dropped
        lost = [name for name in upstream.dropped if not name.startswith(BETA_FLAG)]
        if lost and (site.strict or run.strict):
            raise CannotCarry(f"This cannot be carried to the provider: {', '.join(lost)}.", param=lost[0])
        run.sent, run.sent_at = upstream, self._clock.now()
        if trace := run.trace.asking(upstream.url):
            upstream = replace(upstream, headers={**upstream.headers, **trace})
        exchange = self._transport.open(upstream, self._patience(run, site), run.call.cancel)
        try:
            for _ in exchange.opening():
                yield KeepAlive()
            site.learn(credential, exchange.headers, target.model)
            run.outcome.capacity = site.capacity(target.model, credential.id)
            if exchange.status >= 300:
                error = provider.error(exchange.status, exchange.headers, exchange.read(65_536))
                raise whose(error, credential)
            events = events_of(exchange.headers, exchange.blocks())
            for chunk in gated(provider.decode(events, request), lambda: self._commit(run, exchange, upstream)):
                if isinstance(chunk, Started):
                    run.diagnostics = chunk.diagnostics
                if isinstance(chunk, Finished):
                    run.finished = True
                    run.trace.finished(chunk)
                yield chunk
        finally:
            is_silent = exchange.asked and not run.committed and run.call.cancel.cancelled
            run.unheard = is_silent and self._is_whole(run, site)
            if run.finished:
                exchange.drain()
            exchange.close()

    def _is_whole(self, run: Run, site: Site) -> bool:
        """True when the answer is asked for in one piece."""
        return not run.request.stream and site.provider.dialect == run.request.native.dialect

    def _patience(self, run: Run, site: Site) -> Patience:
        """A provider that was asked for a whole answer says nothing until it is complete."""
        silence = max(site.silence, self._stream.whole_timeout) if self._is_whole(run, site) else site.silence
        return Patience(
            self._stream.connect_timeout,
            silence,
            self._stream.keep_alive,
            deadline=run.call.started + self._stream.total_timeout,
            content_by=self._clock.monotonic() + silence,
            signs=run.call.signs,
        )

    def _commit(self, run: Run, exchange: Exchange, sent: UpstreamRequest) -> None:
        run.committed = True
        # Nobody else is asked from now on, and a stream may go on for long.
        for one in (sent, run.sent or sent):
            one.forget_body()
        run.request.native.forget_raw()
        run.call.origin.answered()
        exchange.begun()
        run.begun_at, now = self._clock.now(), self._clock.monotonic()
        run.outcome.time_to_first_token = now - run.call.started
        run.first_content = now - (run.trying_since or now)
        run.trace.first_content(run.first_content)
        if run.permit is not None:
            run.permit.begun()
        if run.lease is not None:
            run.lease.begun()
