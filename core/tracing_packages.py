"""Whether the packages are there that traces need."""

from importlib.util import find_spec

from config.settings import TelemetrySettings

PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.common")
MISSING = (
    "telemetry.endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is set, but the packages that traces need are not installed: "
    "run `make otel`, or leave it unset"
)


def missing(settings: TelemetrySettings) -> list[str]:
    """What keeps requests from being traced as `settings` want it, in a sentence each."""
    return [] if settings.endpoint is None or all(map(_is_there, PACKAGES)) else [MISSING]


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
