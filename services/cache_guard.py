"""CacheGuard: sees for every answer what became of its prompt's cache, and tells whom it concerns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import structlog

from core.clock import Clock
from core.errors import StoreUnavailable
from core.prompt_cache.chain import Chain, chain_of
from core.prompt_cache.diagnosis import Diagnosis, anthropic_diagnosis
from core.prompt_cache.donors import donor_of
from core.prompt_cache.expectation import best
from core.prompt_cache.finding import Finding
from core.prompt_cache.judge import judge
from core.prompt_cache.names import keeping, sought
from core.prompt_cache.prompt import Identity, Prompt
from core.prompt_cache.rules import family_of, rules_of
from core.prompt_cache.silent import silent_cache_loss
from core.providers.base import UpstreamRequest
from core.store.base import Counters
from schemas.chat import ChatRequest
from schemas.model import Price, Target
from schemas.usage import Usage
from services.cache_ledger import CacheLedger
from services.failover import FailoverService
from services.sessions import is_followed
from services.telemetry import Telemetry
from services.write_watch import Writer, WriteWatch

MOST_BYTES = 8 * 1024 * 1024
"""Prompts beyond this are not looked at, so that the time an answer takes stays bounded."""
LONGEST_NAME = 200
FAILOVER_FAMILY = "zhipu"
"""Whose own losses never move a model: it is who stands in."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer that came to its end: what was asked and sent, where, when (seconds since the epoch), and its usage.

    `model` is the name that was asked for, `served` the model that answered, as the catalogue calls them. `kind` is
    that of the provider instance, `account` whose cache it is there, and `credential` what stands for the key in
    reports. `diagnostics` are what the provider itself said of its cache.
    """

    request: ChatRequest
    model: str
    served: str
    tenant: str
    upstream: UpstreamRequest
    target: Target
    kind: str
    account: str
    credential: str
    started: float
    begun: float
    usage: Usage | None
    notional: bool = False
    diagnostics: Mapping[str, Any] | None = None


class CacheGuard:
    """Works after the answer has been given, in a few milliseconds and with three trips to the store at most."""

    def __init__(
        self,
        counters: Counters,
        ledger: CacheLedger,
        failover: FailoverService,
        writes: WriteWatch,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._counters = counters
        self._ledger = ledger
        self._failover = failover
        self._writes = writes
        self._telemetry = telemetry
        self._clock = clock
        self._log = structlog.get_logger(__name__)

    def look(self, answered: Answered) -> Finding | None:
        """The finding for one answer, counted, logged when something was lost, and told to the failover.

        None when the prompt cannot be looked at.
        """
        prompt = _prompt(answered)
        if prompt is None:
            return None
        finding = self._found(answered, prompt)
        self._tell(answered, finding)
        return finding

    def _found(self, answered: Answered, prompt: Prompt) -> Finding:
        info, usage = answered.target.info, answered.usage
        rules = rules_of(answered.kind, answered.target.model, info)
        price = self._price(answered)
        match, said = best(self._kept(prompt), prompt, rules), _diagnosis(answered)
        found = judge(prompt, match, usage, price, rules, diagnosis=said, notional=answered.notional)
        silent = silent_cache_loss(prompt, usage, price, rules, notional=answered.notional)
        donor = donor_of(prompt, answered.begun, usage, rules)
        if match is not None and usage is not None and usage.read:
            self._writes.was_read(match.donor)
        if donor is not None:
            self._keep(keeping(donor, prompt), donor.lifetime)
            self._writes.wrote(donor, price, _writer(answered), notional=answered.notional)
        if silent is None or (found.provider_fault and found.lost >= silent.lost):
            return found
        return silent

    def look_at_writes(self) -> None:
        """Tell of what was paid for and nobody has read: about once a minute."""
        for writer, finding in self._writes.wasted():
            self._tell_waste(writer, finding)

    def _tell(self, answered: Answered, finding: Finding) -> None:
        target, session = answered.target, answered.request.session
        self._telemetry.cache_judged(target.provider, target.model, finding)
        # Of those who ask once there is no end: it is a session with a name, or once one prompt begins as another.
        counts = bool(finding.expected or finding.read) or is_followed(answered.request)
        self._ledger.note(
            target.provider, answered.served, answered.credential, session if counts else None, finding, answered.usage
        )
        if finding.missed:
            self._log.info(
                "prompt_cache_missed",
                provider=target.provider,
                model=answered.model,
                cause=finding.cause,
                missed=finding.missed,
                missed_usd=None if finding.missed_usd is None else round(finding.missed_usd, 6),
                notional=finding.notional,
                session=session,
            )
        if finding.lost:
            self._log.warning(
                "prompt_cache_loss",
                provider=target.provider,
                model=answered.model,
                cause=finding.cause,
                block=finding.block,
                parameter=finding.parameter,
                expected=finding.expected,
                read=finding.read,
                lost=finding.lost,
                lost_usd=None if finding.lost_usd is None else round(finding.lost_usd, 6),
                estimated=finding.estimated,
                notional=finding.notional,
                session=session,
            )
        stands_in = family_of(answered.kind, target.provider) == FAILOVER_FAMILY
        if finding.provider_fault and finding.lost_usd and not finding.notional and not stands_in:
            self._failover.lost(answered.served, finding.lost_usd)

    def _tell_waste(self, writer: Writer, finding: Finding) -> None:
        usd = finding.missed_usd
        self._telemetry.cache_judged(writer.provider, writer.upstream_model, finding)
        self._ledger.note_waste(writer.provider, writer.served, writer.credential, finding)
        self._log.info(
            "prompt_cache_write_waste",
            provider=writer.provider,
            model=writer.model,
            tokens=finding.missed,
            usd=None if usd is None else round(usd, 6),
            notional=finding.notional,
            session=writer.session,
        )

    def _price(self, answered: Answered) -> Price | None:
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        prompt = answered.usage.prompt if answered.usage is not None else 0
        return answered.target.info.price_on(today, prompt)

    def _kept(self, prompt: Prompt) -> dict[str, str]:
        now = self._clock.now()
        try:
            pointers = self._counters.kept(sought(prompt), now)
            texts = self._counters.kept(sorted(set(pointers.values())), now) if pointers else {}
        except StoreUnavailable:
            return {}
        return {name: texts[pointer] for name, pointer in pointers.items() if pointer in texts}

    def _keep(self, texts: dict[str, str], seconds: float) -> None:
        # A prompt has many names: each is kept with where its text is, and the text once.
        pointers = {text: _pointer(text) for text in set(texts.values())}
        by_pointer = {pointer: text for text, pointer in pointers.items()}
        by_name = {name: pointers[text] for name, text in texts.items()}
        try:
            self._counters.keep({**by_name, **by_pointer}, seconds, self._clock.now())
        except StoreUnavailable:
            return


def _pointer(text: str) -> str:
    return f"donor:{blake2b(text.encode(), digest_size=8).hexdigest()}"


def _writer(answered: Answered) -> Writer:
    target = answered.target
    # A route may lead any name a client makes up to a model.
    asked = answered.model[:LONGEST_NAME]
    return Writer(target.provider, target.model, asked, answered.served, answered.credential, answered.request.session)


def _diagnosis(answered: Answered) -> Diagnosis | None:
    told = answered.diagnostics
    if told is None or answered.upstream.sent is None:
        return None
    return anthropic_diagnosis(answered.upstream.sent.get("diagnostics"), told["diagnostics"])


def _prompt(answered: Answered) -> Prompt | None:
    upstream, native = answered.upstream, answered.request.native
    if upstream.sent is None or upstream.form is None or upstream.size > MOST_BYTES:
        return None
    beside = {name: value for name, value in native.headers.items() if name == "anthropic-beta"}
    sent = chain_of({**upstream.sent, "model": answered.target.model}, upstream.form, beside)
    client = sent if upstream.sent is native.body else _client_chain(answered.request)
    family = family_of(answered.kind, answered.target.provider)
    identity = Identity(answered.tenant, answered.model, family, answered.account, answered.target.model)
    return Prompt(identity, sent, client, answered.started)


def _client_chain(request: ChatRequest) -> Chain:
    return chain_of(request.native.body, request.native.dialect)
