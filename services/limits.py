"""LimitService: how many requests callers may send."""

from dataclasses import dataclass

from config.settings import RateLimitSettings
from core.clock import Clock
from core.errors import RateLimited
from core.store.base import Counters, Reading, Window
from schemas.caller import Caller
from services.telemetry import Telemetry

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands: the tightest limit that applies, what is left of it, and seconds until all of it is back.

    `refusal` is set when this request was one too many.
    """

    limit: int
    remaining: int
    reset_after: float
    refusal: RateLimited | None = None


class LimitService:
    """Requests a minute for each key and for each address, exact over all workers, in one trip to the store."""

    def __init__(self, counters: Counters, settings: RateLimitSettings, telemetry: Telemetry, clock: Clock) -> None:
        self._counters = counters
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock

    @property
    def active(self) -> bool:
        """False when nothing is limited."""
        return self._settings.requests_per_minute is not None or self._settings.requests_per_minute_per_ip is not None

    def count(self, caller: Caller | None, ip: str) -> Standing:
        """Count one request, or say why it is refused."""
        windows = self._windows(caller, ip)
        taken = self._counters.take(list(windows.values()), self._clock.now())
        readings = dict(zip(windows, taken.readings, strict=True))
        scope = min(readings, key=lambda name: (-readings[name].retry_after, readings[name].remaining))
        window, reading = windows[scope], readings[scope]
        refusal = None if taken.granted else self._refusal(scope, window, reading)
        return Standing(window.limit, reading.remaining, reading.reset_after, refusal)

    def _windows(self, caller: Caller | None, ip: str) -> dict[str, Window]:
        windows: dict[str, Window] = {}
        per_key, per_ip = self._settings.requests_per_minute, self._settings.requests_per_minute_per_ip
        if per_key is not None:
            # Without a key the address is all that is known of a caller.
            name = f"key:{caller.id}" if caller is not None and not caller.anonymous else f"anonymous:{ip}"
            windows["key"] = Window(f"rpm:{name}", per_key, MINUTE)
        if per_ip is not None:
            windows["ip"] = Window(f"rpm:ip:{ip}", per_ip, MINUTE)
        return windows

    def _refusal(self, scope: str, window: Window, reading: Reading) -> RateLimited:
        self._telemetry.rate_limited(scope)
        whose = "this key" if scope == "key" else "this address"
        message = (
            f"Rate limit reached for {whose}: {window.limit} requests per minute. "
            f"Please try again in {reading.retry_after:.3g}s."
        )
        details = {"scope": scope, "limit": window.limit, "window_seconds": window.seconds}
        details["opens_in_seconds"] = round(reading.retry_after, 3)
        return RateLimited(message, retry_after=reading.retry_after, details=details)
