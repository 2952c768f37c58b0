"""The metrics, with their children kept so that counting costs little."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from psutil import pid_exists

from core.shared_metrics import being_read, fold
from core.shared_values import use_shared_values

REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120)
OVERHEAD_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
COST_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)


class _Spec:
    """What a metric is; each `Metrics` has made one of its own of it under the same name."""

    def __init__(
        self, kind: Callable[..., Any], name: str, text: str, labels: tuple[str, ...] = (), **options: Any
    ) -> None:
        self._kind = kind
        self._arguments = (name, text, labels)
        self._options = options

    def made(self, registry: CollectorRegistry) -> Any:
        """The metric itself."""
        return self._kind(*self._arguments, registry=registry, **self._options)

    if TYPE_CHECKING:

        def __get__(self, metrics: object, owner: type) -> Any:
            """What users of `Metrics` see."""


class Metrics:
    """Every metric of the gateway. With a folder that is `shared` they are summed over the workers of this machine.

    The directory for that is given to the process by its environment before it starts (PROMETHEUS_MULTIPROC_DIR).
    """

    requests = _Spec(Counter, "glm_requests", "Requests answered.", ("endpoint", "method", "status"))
    duration = _Spec(
        Histogram,
        "glm_request_duration_seconds",
        "Time to the end of the answer.",
        ("endpoint",),
        buckets=REQUEST_BUCKETS,
    )
    active_tokens = _Spec(
        Gauge, "glm_active_tokens", "Credentials that can be used now.", multiprocess_mode="mostrecent"
    )
    token_errors = _Spec(Counter, "glm_token_errors", "Failures by credential.", ("token_id", "error_type"))
    token_cost = _Spec(Histogram, "glm_token_usage_cost_usd", "Cost of an answer.", buckets=COST_BUCKETS)
    first_token = _Spec(
        Histogram, "glm_time_to_first_token_seconds", "Time to the first content.", buckets=FIRST_TOKEN_BUCKETS
    )
    overhead = _Spec(
        Histogram, "glm_gateway_overhead_seconds", "Time spent in the gateway itself.", buckets=OVERHEAD_BUCKETS
    )
    streams = _Spec(Gauge, "glm_streams_in_flight", "Streamed answers under way.", multiprocess_mode="livesum")
    upstream = _Spec(Counter, "glm_upstream_requests", "Tries at providers.", ("provider", "model", "outcome"))
    tokens = _Spec(Counter, "glm_tokens", "Tokens by kind.", ("provider", "model", "kind"))
    cost = _Spec(Counter, "glm_cost_usd", "Money spent, where a price is known.", ("provider", "model"))
    unpriced = _Spec(Counter, "glm_unpriced_answers", "Answers whose cost is unknown.", ("provider", "model"))
    response_cache = _Spec(
        Counter, "glm_response_cache", "Requests by what the kept answers had for them.", ("result",)
    )
    dropped = _Spec(
        Counter, "glm_dropped", "What could not be carried to a provider, beta flags apart.", ("provider", "what")
    )
    repairs = _Spec(Counter, "glm_history_repairs", "Places of a history that were mended.", ("what",))
    conversation_turns = _Spec(
        Counter, "glm_conversation_turns", "Turns of conversations, by whether they were kept, and whole.", ("outcome",)
    )
    queue_wait = _Spec(
        Histogram, "glm_queue_wait_seconds", "Waits for a key's turn.", ("provider",), buckets=FIRST_TOKEN_BUCKETS
    )
    queue_waiting = _Spec(
        Gauge, "glm_queue_waiting", "Requests that wait for a key's turn.", ("provider",), multiprocess_mode="livesum"
    )
    cache_loss = _Spec(
        Counter,
        "glm_prompt_cache_loss_usd",
        "Money lost as a prompt was not read from its cache.",
        ("provider", "model", "cause"),
    )
    cache_waste = _Spec(
        Counter,
        "glm_prompt_cache_waste_usd",
        "The part of the fees that was for prompts which nobody has read there.",
        ("provider", "model"),
    )
    cache_missed = _Spec(
        Counter,
        "glm_prompt_cache_missed_usd",
        "Money that a prompt cache could not save, for a reason that is no loss.",
        ("provider", "model", "cause"),
    )
    cache_saving = _Spec(
        Counter, "glm_prompt_cache_saving_usd", "Money saved by reading prompts from caches.", ("provider", "model")
    )
    cache_fee = _Spec(
        Counter,
        "glm_prompt_cache_fee_usd",
        "Money for writing prompts to caches, above plain input.",
        ("provider", "model"),
    )
    cache_notional = _Spec(
        Counter,
        "glm_prompt_cache_notional_usd",
        "What caches cost and save at list prices where a flat fee pays.",
        ("provider", "model", "kind"),
    )
    cache_findings = _Spec(
        Counter,
        "glm_prompt_cache_findings",
        "Answers by what became of their prompt's cache.",
        ("provider", "model", "cause"),
    )
    failover_active = _Spec(
        Gauge, "glm_failover_active", "1 while a model is served by another.", ("model",), multiprocess_mode="livemax"
    )
    failover_activations = _Spec(Counter, "glm_failover_activations", "Times a model was moved to another.", ("model",))
    rate_limited = _Spec(Counter, "glm_rate_limited", "Requests refused by a limit.", ("scope",))
    budget_used = _Spec(
        Gauge,
        "glm_budget_used_ratio",
        "The share of the fullest budget that is spent or reserved.",
        ("scope", "window"),
        multiprocess_mode="livemax",
    )
    circuit = _Spec(
        Gauge,
        "glm_circuit_state",
        "The worst circuit of a provider: 0 closed, 1 half-open, 2 open.",
        ("provider",),
        multiprocess_mode="mostrecent",
    )
    configured = _Spec(
        Gauge,
        "glm_config_last_reload_successful",
        "0 while the configuration on disk cannot be used.",
        multiprocess_mode="livemin",
    )
    configured_at = _Spec(
        Gauge,
        "glm_config_last_reload_success_timestamp_seconds",
        "Since when the configuration is in effect, on the worker that has it longest.",
        multiprocess_mode="livemin",
    )
    memory = _Spec(
        Gauge,
        "glm_memory_used_ratio",
        "The share of the container's memory in use, or of the machine's without a limit.",
        multiprocess_mode="mostrecent",
    )
    body_bytes = _Spec(
        Gauge, "glm_body_memory_bytes", "Memory held for the bodies of requests under way.", multiprocess_mode="livesum"
    )
    bodies_waiting = _Spec(
        Gauge, "glm_bodies_waiting", "Requests that wait for room for their body.", multiprocess_mode="livesum"
    )
    bodies_refused = _Spec(Counter, "glm_bodies_refused", "Requests refused for want of room for their body.")
    store_filled = _Spec(
        Gauge,
        "glm_store_memory_ratio",
        "The share of the shared store's memory that is taken; 0 without a bound.",
        multiprocess_mode="mostrecent",
    )
    degraded = _Spec(
        Gauge, "glm_store_degraded", "1 while the shared store cannot be reached.", multiprocess_mode="livemax"
    )

    def __init__(self, shared: Path | None = None) -> None:
        if shared is not None:
            use_shared_values()
        self._shared = shared
        self._registry = CollectorRegistry()
        self._children: dict[tuple[Any, ...], Any] = {}
        for name, metric in vars(Metrics).items():
            if isinstance(metric, _Spec):
                setattr(self, name, metric.made(self._registry))

    def child(self, metric: Any, *labels: str) -> Any:
        """The metric with these label values, looked up once."""
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        if self._shared is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._shared))  # type: ignore[no-untyped-call] # the library has no types
        with being_read(self._shared):
            return generate_latest(registry)

    def fold(self) -> None:
        """Give up the files of workers that are gone; what they have counted stays."""
        if self._shared is not None:
            fold(self._shared, pid_exists)
