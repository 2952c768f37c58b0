"""The metrics, with their children kept so that counting costs little."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120)
OVERHEAD_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
COST_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """Every metric of the gateway. With `multiprocess` they are summed over the workers of this machine.

    The directory for that is given to the process by its environment before it starts (PROMETHEUS_MULTIPROC_DIR).
    """

    def __init__(self, *, multiprocess: bool = False) -> None:
        self._multiprocess = multiprocess
        self._registry = CollectorRegistry()
        self._children: dict[tuple[Any, ...], Any] = {}
        r = self._registry
        self.requests = Counter("glm_requests", "Requests answered.", ["endpoint", "method", "status"], registry=r)
        self.duration = Histogram(
            "glm_request_duration_seconds", "Time to the end of the answer.", ["endpoint"],
            buckets=REQUEST_BUCKETS, registry=r,
        )  # fmt: skip
        self.active_tokens = Gauge(
            "glm_active_tokens", "Credentials that can be used now.", registry=r, multiprocess_mode="mostrecent"
        )
        self.token_errors = Counter(
            "glm_token_errors", "Failures by credential.", ["token_id", "error_type"], registry=r
        )
        self.token_cost = Histogram("glm_token_usage_cost_usd", "Cost of an answer.", buckets=COST_BUCKETS, registry=r)
        self.first_token = Histogram(
            "glm_time_to_first_token_seconds", "Time to the first content.", buckets=FIRST_TOKEN_BUCKETS, registry=r
        )
        self.overhead = Histogram(
            "glm_gateway_overhead_seconds", "Time spent in the gateway itself.", buckets=OVERHEAD_BUCKETS, registry=r
        )
        self.streams = Gauge(
            "glm_streams_in_flight", "Streamed answers under way.", registry=r, multiprocess_mode="livesum"
        )
        self.upstream = Counter(
            "glm_upstream_requests", "Tries at providers.", ["provider", "model", "outcome"], registry=r
        )
        self.tokens = Counter("glm_tokens", "Tokens by kind.", ["provider", "model", "kind"], registry=r)
        self.cost = Counter("glm_cost_usd", "Money spent, where a price is known.", ["provider", "model"], registry=r)
        self.unpriced = Counter(
            "glm_unpriced_answers", "Answers whose cost is unknown.", ["provider", "model"], registry=r
        )
        self.response_cache = Counter(
            "glm_response_cache", "Requests by what the kept answers had for them.", ["result"], registry=r
        )
        self.dropped = Counter(
            "glm_dropped",
            "What could not be carried to a provider, beta flags apart.",
            ["provider", "what"],
            registry=r,
        )
        self.repairs = Counter("glm_history_repairs", "Places of a history that were mended.", ["what"], registry=r)
        self.conversation_turns = Counter(
            "glm_conversation_turns", "Turns of conversations, by whether they were kept, and whole.", ["outcome"],
            registry=r,
        )  # fmt: skip
        self.queue_wait = Histogram(
            "glm_queue_wait_seconds", "Waits for a key's turn.", ["provider"], buckets=FIRST_TOKEN_BUCKETS, registry=r
        )
        self.queue_waiting = Gauge(
            "glm_queue_waiting", "Requests that wait for a key's turn.", ["provider"], registry=r,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.cache_loss = Counter(
            "glm_prompt_cache_loss_usd", "Money lost as a prompt was not read from its cache.",
            ["provider", "model", "cause"], registry=r,
        )  # fmt: skip
        self.cache_waste = Counter(
            "glm_prompt_cache_waste_usd", "The part of the fees that was for prompts which nobody has read there.",
            ["provider", "model"], registry=r,
        )  # fmt: skip
        self.cache_missed = Counter(
            "glm_prompt_cache_missed_usd", "Money that a prompt cache could not save, for a reason that is no loss.",
            ["provider", "model", "cause"], registry=r,
        )  # fmt: skip
        self.cache_saving = Counter(
            "glm_prompt_cache_saving_usd", "Money saved by reading prompts from caches.", ["provider", "model"],
            registry=r,
        )  # fmt: skip
        self.cache_fee = Counter(
            "glm_prompt_cache_fee_usd", "Money for writing prompts to caches, above plain input.",
            ["provider", "model"], registry=r,
        )  # fmt: skip
        self.cache_notional = Counter(
            "glm_prompt_cache_notional_usd", "What caches cost and save at list prices where a flat fee pays.",
            ["provider", "model", "kind"], registry=r,
        )  # fmt: skip
        self.cache_findings = Counter(
            "glm_prompt_cache_findings", "Answers by what became of their prompt's cache.",
            ["provider", "model", "cause"], registry=r,
        )  # fmt: skip
        self.failover_active = Gauge(
            "glm_failover_active", "1 while a model is served by another.", ["model"], registry=r,
            multiprocess_mode="livemax",
        )  # fmt: skip
        self.failover_activations = Counter(
            "glm_failover_activations", "Times a model was moved to another.", ["model"], registry=r
        )
        self.rate_limited = Counter("glm_rate_limited", "Requests refused by a limit.", ["scope"], registry=r)
        self.budget_used = Gauge(
            "glm_budget_used_ratio", "The share of the fullest budget that is spent or reserved.",
            ["scope", "window"], registry=r, multiprocess_mode="livemax",
        )  # fmt: skip
        self.circuit = Gauge(
            "glm_circuit_state",
            "The worst circuit of a provider: 0 closed, 1 half-open, 2 open.",
            ["provider"],
            registry=r,
            multiprocess_mode="mostrecent",
        )
        self.configured = Gauge(
            "glm_config_last_reload_successful", "0 while the configuration on disk cannot be used.", registry=r,
            multiprocess_mode="livemin",
        )  # fmt: skip
        self.configured_at = Gauge(
            "glm_config_last_reload_success_timestamp_seconds",
            "Since when the configuration is in effect, on the worker that has it longest.",
            registry=r, multiprocess_mode="livemin",
        )  # fmt: skip
        self.memory = Gauge(
            "glm_memory_used_ratio", "The share of the container's memory in use, or of the machine's without a limit.",
            registry=r, multiprocess_mode="mostrecent",
        )  # fmt: skip
        self.body_bytes = Gauge(
            "glm_body_memory_bytes", "Memory held for the bodies of requests under way.", registry=r,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.bodies_waiting = Gauge(
            "glm_bodies_waiting", "Requests that wait for room for their body.", registry=r, multiprocess_mode="livesum"
        )
        self.bodies_refused = Counter(
            "glm_bodies_refused", "Requests refused for want of room for their body.", registry=r
        )
        self.degraded = Gauge(
            "glm_store_degraded", "1 while the shared store cannot be reached.", registry=r, multiprocess_mode="livemax"
        )

    def child(self, metric: Any, *labels: str) -> Any:
        """The metric with these label values, looked up once."""
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        if not self._multiprocess:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library leaves it untyped
        return generate_latest(registry)
