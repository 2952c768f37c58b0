"""The business errors of GLM, by code."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_ASKED_FOR = re.compile(r"simulate error (\d{3,4})\b", re.IGNORECASE)
_CHINA = timezone(timedelta(hours=8))
_WINDOW_5H = "Usage limit reached for 5 hour. Your limit will reset at {five_hours}"
_WINDOW_7D = "Weekly/Monthly limit exhausted. Your limit will reset at {seven_days}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal: GLM's code (digits), the HTTP status it comes with, and what it says."""

    code: str
    status: int
    message: str


_FAULTS: Mapping[str, tuple[int, str]] = {
    "434": (434, "No API permission, this interface is in beta"),
    "435": (435, "The file must not be larger than 100MB"),
    "500": (500, "Internal error"),
    "1000": (401, "Authentication failed"),
    "1001": (401, "Authentication parameter not received in header"),
    "1002": (401, "Authentication token is malformed"),
    "1003": (401, "Authentication token expired"),
    "1004": (401, "Authentication token failed verification"),
    "1005": (401, "Second-factor login is required"),
    "1100": (500, "Account read/write error"),
    "1110": (429, "Your account is inactive"),
    "1111": (429, "Your account does not exist"),
    "1112": (429, "Your account has been locked"),
    "1113": (429, "Insufficient balance or no resource package. Please recharge."),
    "1120": (503, "Your account cannot be reached at the moment, please retry later"),
    "1121": (429, "Your account has been locked because of irregular activities"),
    "1200": (500, "API call failed"),
    "1210": (400, "API call parameters are incorrect, please check the documentation"),
    "1211": (400, "The model does not exist, please check the model code"),
    "1212": (400, "The model does not support this way of calling"),
    "1213": (400, "A required parameter was not received"),
    "1214": (400, "A parameter is invalid, please check the documentation"),
    "1215": (400, "Two parameters cannot be set at the same time"),
    "1220": (403, "You do not have permission to access this API"),
    "1221": (400, "The API has been taken offline"),
    "1222": (400, "The API does not exist"),
    "1230": (500, "API call process error"),
    "1231": (400, "A request with this request_id exists already"),
    "1234": (500, "Network error, error id: 20260101000000simulated, please contact customer service"),
    "1261": (400, "The prompt is too long"),
    "1300": (400, "The API call was blocked by a policy"),
    "1301": (400, "The system detected potentially unsafe or sensitive content in input or generation"),
    "1302": (429, "Rate limit reached for requests"),
    "1303": (429, "The frequency of requests is too high"),
    "1304": (429, "The limit of calls for today has been reached"),
    "1305": (429, "The model is overloaded, please try again later"),
    "1308": (429, _WINDOW_5H),
    "1309": (429, "Your GLM Coding Plan package has expired"),
    "1310": (429, _WINDOW_7D),
    "1311": (429, "Your subscription plan does not include this model"),
    "1312": (429, "The model is very busy at the moment, please try another model"),
    "1313": (429, "Your account has been restricted under the fair use policy"),
    "1314": (429, "The enterprise plan is not valid"),
    "1315": (429, "This key may only be used for the enterprise coding plan"),
    "1316": (429, _WINDOW_5H),
    "1317": (429, _WINDOW_7D),
    "1318": (429, _WINDOW_5H),
    "1319": (429, _WINDOW_7D),
    "1320": (429, _WINDOW_5H),
    "1321": (429, _WINDOW_7D),
}
CODES = tuple(_FAULTS)


def fault(code: str, now: float) -> Fault:
    """The refusal with this code, at `now` seconds since the epoch; raises KeyError for a code GLM does not have."""
    status, message = _FAULTS[code]
    return Fault(code, status, message.format(five_hours=_at(now, 5), seven_days=_at(now, 7 * 24)))


def asked_for(text: str, now: float) -> Fault | None:
    """The refusal that the user's text calls for with `simulate error <code>`, if any."""
    found = _ASKED_FOR.search(text)
    return fault(found.group(1), now) if found and found.group(1) in _FAULTS else None


def _at(now: float, hours: int) -> str:
    moment = datetime.fromtimestamp(now, UTC) + timedelta(hours=hours)
    return moment.astimezone(_CHINA).strftime("%Y-%m-%d %H:%M:%S")
