"""Every setting of the gateway, as frozen groups with their defaults and bounds."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from config.access_settings import AccessSettings, ApiKeySettings, CallerLimitSettings, JwtSettings
from config.conversation_settings import ConversationSettings
from config.failover_settings import FailoverSettings
from config.group import Group, Seconds
from config.key_settings import KeyLimitSettings, KeySettings, QueueSettings, StrategyName
from config.limit_settings import BudgetSettings, CostBudgetSettings, RateLimitSettings, RateSettings, UsageSettings
from config.link_settings import LinkSettings
from config.logging_settings import LoggingSettings, RequestLogSettings
from config.model_settings import ModelMap, ModelSettings
from config.provider_settings import ProviderSettings, default_providers
from config.redis_address import RedisAddress
from config.response_cache_settings import KeepingSettings, ResponseCacheSettings
from config.route_settings import CircuitSettings, MatchSettings, Routes, RouteSettings, RouteTargetSettings
from config.store_settings import StoreSettings
from config.telemetry_settings import TelemetrySettings

__all__ = [
    "AccessSettings",
    "ApiKeySettings",
    "BudgetSettings",
    "CallerLimitSettings",
    "CircuitSettings",
    "ContentFilterSettings",
    "ConversationSettings",
    "CostBudgetSettings",
    "FailoverSettings",
    "FilterPattern",
    "HealthSettings",
    "JwtSettings",
    "KeepingSettings",
    "KeyLimitSettings",
    "KeySettings",
    "LinkSettings",
    "LoggingSettings",
    "MatchSettings",
    "ModelSettings",
    "PipelineSettings",
    "ProviderSettings",
    "QueueSettings",
    "RateLimitSettings",
    "RateSettings",
    "RedisAddress",
    "RequestLogSettings",
    "ResponseCacheSettings",
    "RetrySettings",
    "RouteSettings",
    "RouteTargetSettings",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "StreamSettings",
    "TelemetrySettings",
    "TokenSettings",
    "UsageSettings",
]


class ServerSettings(Group):
    """Where and how the gateway listens. `workers` None means 1 without redis and 4 with it.

    Within `head_timeout` seconds a request's head must have come, within `body_timeout` its body. After a stop signal
    new requests are still taken for `drain_seconds`, while readiness says that none should come; then those that run
    have `shutdown_seconds`. The bodies of a worker's requests take `body_memory` bytes at most, None for 25 % of the
    memory shared by all workers, and one that finds no room waits for it for `body_wait` seconds. After about
    `max_requests` a worker is replaced; 0 for never.
    """

    host: str = "0.0.0.0"  # noqa: S104 - the promised default; the gateway says so when it is open
    port: int = Field(8976, ge=0, le=65535)
    workers: int | None = Field(None, ge=1, le=256)
    data_dir: Path = Path("data")
    max_body_bytes: int = Field(50 * 1024 * 1024, ge=1024)
    body_memory: int | None = Field(None, ge=1024 * 1024)
    body_wait: Seconds = 10
    worker_connections: int = Field(4000, ge=1)
    head_timeout: Seconds = 30
    body_timeout: Seconds = 300
    drain_seconds: float = Field(5, ge=0, le=300)
    shutdown_seconds: Seconds = 600
    max_requests: int = Field(0, ge=0)
    trusted_proxies: int = Field(0, ge=0, description="how many proxies in front may set X-Forwarded-For")


class StreamSettings(Group):
    """Patience, in seconds. `keep_alive` is the longest a client waits for a sign of life.

    `whole_timeout` is the longest silence of a provider that was asked for a whole answer instead of a stream.
    """

    keep_alive: float = Field(10, gt=0, le=15)
    connect_timeout: Seconds = 10
    total_timeout: Seconds = 1800
    whole_timeout: Seconds = 600
    write_timeout: Seconds = 60


class RetrySettings(Group):
    """How often one request may try, over all credentials and targets, and for how long before the first content.

    All second and later tries together are at most `budget_min` and the share `budget_share` of the requests in any ten
    seconds, in each worker. `max_wait` is the longest wait for the same credential, in seconds, and `warm_wait` that
    for one that has the conversation's prompt cached while there are others.
    """

    max_attempts: int = Field(3, ge=1, le=20)
    total_seconds: Seconds = 300
    budget_share: float = Field(0.2, ge=0, allow_inf_nan=False)
    budget_min: int = Field(10, ge=0)
    max_wait: Seconds = 10
    warm_wait: float = Field(3, ge=0, allow_inf_nan=False)


class TokenSettings(Group):
    """How credentials are chosen and judged. Errors are counted in a row; a success starts the count again."""

    strategy: StrategyName = "round_robin"
    health_check_interval: Seconds = 300
    error_threshold: int = Field(3, ge=1, description="errors in a row after which a token is degraded")
    max_errors: int = Field(10, ge=1, description="errors in a row after which a token is blacklisted")

    @model_validator(mode="after")
    def _ordered(self) -> "TokenSettings":
        if self.max_errors < self.error_threshold:
            raise ValueError("max_errors must not be below error_threshold")
        return self


class FilterPattern(Group):
    """A pattern to look for; `max_length` bounds a match, which is how much text may be held back in a stream."""

    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    action: Literal["block", "redact", "log"] = "redact"
    replacement: str = "[redacted]"
    ignore_case: bool = True
    max_length: int = Field(200, ge=1, le=10_000)

    @model_validator(mode="after")
    def _compiles(self) -> "FilterPattern":
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"the pattern {self.name!r} is no regular expression: {error}") from None
        return self


class ContentFilterSettings(Group):
    """Patterns that answers are searched for; off without patterns."""

    enabled: bool = True
    patterns: tuple[FilterPattern, ...] = ()


class PipelineSettings(Group):
    """What the response pipeline does."""

    content_filter: ContentFilterSettings = ContentFilterSettings()


class HealthSettings(Group):
    """Shares of memory and disk in use from which health is degraded."""

    max_memory: float = Field(0.9, gt=0, le=1)
    max_disk: float = Field(0.95, gt=0, le=1)


DEFAULT_MODEL_MAP = {"claude-*haiku*": "glm-4.5-air", "claude-*": "glm-4.7"}
PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""What an instance may be called, as its name stands in headers, labels and ahead of a model's name."""


class Settings(Group):
    """The whole configuration, read once and never changed."""

    server: ServerSettings = ServerSettings()
    stream: StreamSettings = StreamSettings()
    retry: RetrySettings = RetrySettings()
    access: AccessSettings = AccessSettings()
    rate_limits: RateLimitSettings = RateLimitSettings()
    cost_budget: CostBudgetSettings = CostBudgetSettings()
    usage: UsageSettings = UsageSettings()
    response_cache: ResponseCacheSettings = ResponseCacheSettings()
    tokens: TokenSettings = TokenSettings()
    providers: dict[str, ProviderSettings] = Field(default_factory=default_providers)
    default_model: str = "0727-360B-API"
    model_map: ModelMap = DEFAULT_MODEL_MAP
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    routes: Routes = ()
    circuit: CircuitSettings = CircuitSettings()
    failover: FailoverSettings = FailoverSettings()
    pipeline: PipelineSettings = PipelineSettings()
    links: LinkSettings = LinkSettings()
    conversations: ConversationSettings = ConversationSettings()
    logging: LoggingSettings = LoggingSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    store: StoreSettings = StoreSettings()
    health: HealthSettings = HealthSettings()

    @field_validator("providers")
    @classmethod
    def _named(cls, providers: dict[str, ProviderSettings]) -> dict[str, ProviderSettings]:
        for name in providers:
            if not PROVIDER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a provider: letters, digits, '.', '_' and '-', at most 64")
        return providers

    @model_validator(mode="after")
    def _workers_need_redis(self) -> "Settings":
        if (self.server.workers or 1) > 1 and self.store.redis_url is None:
            raise ValueError(
                f"WORKERS is {self.server.workers}, but more than one worker needs REDIS_URL to share limits and state"
            )
        return self

    @model_validator(mode="after")
    def _retirement_needs_redis(self) -> "Settings":
        if self.server.max_requests and self.store.redis_url is None:
            raise ValueError("server.max_requests needs REDIS_URL, as a worker without it takes its counters along")
        return self

    @model_validator(mode="after")
    def _limited_providers_exist(self) -> "Settings":
        limited = {"rate_limits": [*self.rate_limits.providers], "cost_budget": [*self.cost_budget.providers]}
        for group, names in limited.items():
            unknown = next((name for name in names if name not in self.providers), None)
            if unknown is not None:
                known = ", ".join(sorted(self.providers))
                raise ValueError(f"{group}.providers names {unknown!r}, which is none of the providers: {known}")
        return self

    @property
    def workers(self) -> int:
        """How many worker processes to run."""
        return self.server.workers or (4 if self.store.redis_url else 1)
