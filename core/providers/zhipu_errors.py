"""What GLM's business codes mean: nearly all of them come with HTTP 429, so the status alone says little."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from core.errors import (
    ContentRefused,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    ProviderConflict,
    UpstreamForbidden,
    UpstreamOutsidePlan,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTokenExpired,
    UpstreamUnauthorized,
    UpstreamUnpaid,
)
from core.providers.openai_faults import Said, fault

HOUR = 3600.0
DAY = 24 * HOUR
BEIJING = timezone(timedelta(hours=8))
"""GLM's texts name no time zone; its China host means this one, and nothing proves another for the other host."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota that opens again: the longest wait to believe, and the wait when no reset time is told, in seconds."""

    cap: float
    unknown: float


FIVE_HOURS = Quota(cap=6 * HOUR, unknown=HOUR)
WEEK = Quota(cap=8 * DAY, unknown=6 * HOUR)
MIN_PARK = 60.0
"""A reset time in the past is a clock or time zone that is off; asking again at once would not help."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Our error, the `code` the client sees (None: the class's own), and the quota behind it if one opens again."""

    kind: type[GatewayError]
    code: str | None = None
    quota: Quota | None = None


_BAD_KEY = Meaning(UpstreamUnauthorized)
_EXPIRED = Meaning(UpstreamTokenExpired)
_BAD_ACCOUNT = Meaning(UpstreamUnauthorized, "account_deactivated")
_FAILED = Meaning(UpstreamServerError)
_BAD_REQUEST = Meaning(InvalidRequest)
_TOO_FAST = Meaning(UpstreamRateLimited)
_BUSY = Meaning(UpstreamOverloaded)
_NO_MONEY = Meaning(UpstreamQuotaExhausted)
_USED_UP_5H = Meaning(UpstreamQuotaExhausted, "usage_limit_reached", FIVE_HOURS)
_USED_UP_WEEK = Meaning(UpstreamQuotaExhausted, "usage_limit_reached", WEEK)
_NOT_ENTITLED = Meaning(UpstreamForbidden, "model_not_found")
_WRONG_PLAN = Meaning(UpstreamForbidden)

MEANINGS: Mapping[str, Meaning] = {
    "500": _FAILED,
    "1000": _BAD_KEY,
    "1001": _BAD_KEY,
    "1002": _BAD_KEY,
    "1003": _EXPIRED,
    "1004": _BAD_KEY,
    "1005": _BAD_KEY,
    "1100": _FAILED,
    "1110": _BAD_ACCOUNT,
    "1111": _BAD_ACCOUNT,
    "1112": _BAD_ACCOUNT,
    "1113": Meaning(UpstreamUnpaid),
    "1120": _FAILED,
    "1121": _BAD_ACCOUNT,
    "1200": _FAILED,
    "1210": _BAD_REQUEST,
    "1211": Meaning(ModelNotFound),
    "1212": _BAD_REQUEST,
    "1213": _BAD_REQUEST,
    "1214": _BAD_REQUEST,
    "1215": _BAD_REQUEST,
    "1220": _NOT_ENTITLED,
    "1221": _BAD_REQUEST,
    "1222": _BAD_REQUEST,
    "1230": _FAILED,
    "1231": Meaning(ProviderConflict),
    "1234": _FAILED,
    "1261": Meaning(ContextLengthExceeded),
    "1300": Meaning(ContentRefused, "content_policy_violation"),
    "1301": Meaning(ContentRefused),
    "1302": _TOO_FAST,
    "1303": _TOO_FAST,
    "1304": Meaning(UpstreamQuotaExhausted, "usage_limit_reached", Quota(cap=DAY, unknown=DAY)),
    "1305": _BUSY,
    "1308": _USED_UP_5H,
    "1309": _NO_MONEY,
    "1310": _USED_UP_WEEK,
    "1311": Meaning(UpstreamOutsidePlan),
    "1312": _BUSY,
    "1313": Meaning(UpstreamQuotaExhausted, "fair_use_limit"),
    "1314": _WRONG_PLAN,
    "1315": _WRONG_PLAN,
    "1316": _USED_UP_5H,
    "1317": _USED_UP_WEEK,
    "1318": _USED_UP_5H,
    "1319": _USED_UP_WEEK,
    "1320": _USED_UP_5H,
    "1321": _USED_UP_WEEK,
}

TOKEN_EXPIRED = "1003"  # noqa: S105 - a code, not a secret
_DAILY_LIMIT = "1304"
_NAMES_A_FIELD = frozenset({"1210", "1213", "1214", "1215"})
_NO_SUCH_MODEL = re.compile(r"model.{0,80}(?:does not|doesn't|not) (?:exist|found)|模型.{0,80}不存在", re.I | re.S)
_RESET = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_FIELD = re.compile(
    r"(?<![A-Za-z_])(messages|temperature|top_p|max_tokens|stop|tools|tool_choice|thinking|reasoning_effort"
    r"|response_format|user_id|model|stream)(?![A-Za-z_])"
)
_OUR_NAMES: Mapping[str, str] = {"user_id": "user"}


def business_error(said: Said, now: float, wait: float | None) -> GatewayError | None:
    """The error for a GLM business code at `now` (seconds since the epoch); None for a code that is none of GLM's.

    `wait` is what a header asked for, in seconds; it stands unless the code's own text knows better.
    """
    meaning = MEANINGS.get(said.code or "")
    if meaning is None:
        return None
    if said.code == "1214" and _NO_SUCH_MODEL.search(said.message):
        meaning = MEANINGS["1211"]
    if meaning.quota is not None:
        wait = _park(said, meaning.quota, now, wait)
    return fault(meaning.kind, said, code=meaning.code, param=_param(said), retry_after=wait)


def _park(said: Said, quota: Quota, now: float, wait: float | None) -> float:
    opens = reset_time(said.message)
    if opens is None and wait is not None:
        return min(wait, quota.cap)
    if opens is None and said.code == _DAILY_LIMIT:
        opens = _next_midnight(now)
    if opens is None:
        return quota.unknown
    return min(quota.cap, max(MIN_PARK, opens - now))


def reset_time(text: str) -> float | None:
    """The first date and time in `text`, read as UTC+8, in seconds since the epoch; None when there is none."""
    found = _RESET.search(text)
    try:
        return datetime.fromisoformat(found[0]).replace(tzinfo=BEIJING).timestamp() if found else None
    except ValueError:
        return None


def _next_midnight(now: float) -> float:
    today = datetime.fromtimestamp(now, BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).timestamp()


def _param(said: Said) -> str | None:
    found = _FIELD.search(said.message) if said.code in _NAMES_A_FIELD else None
    return _OUR_NAMES.get(found[1], found[1]) if found else None
