"""Personal data. The order counts: what has a check digit goes first, as a telephone number may look like anything."""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from core.redaction import checks
from core.redaction.detector import Detector


def is_address(text: str) -> bool:
    """True for an address of the internet protocol, old or new."""
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def is_phone(text: str) -> bool:
    """True for as many digits as telephone numbers have."""
    return 7 <= len(checks.digits_of(text)) <= 15


MAILBOX = r"[\w.+%-](?:[\w.+%'-]{0,63}[\w.+%-])?"
HOST = r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
PERSONAL: Sequence[Detector] = (
    Detector("email", re.compile(rf"{MAILBOX}@{HOST}"), hint="@"),
    Detector("email", re.compile(rf"{MAILBOX}%40{HOST}"), hint="%40"),
    Detector("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), checks.iban),
    Detector("card", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), checks.luhn),
    Detector("national id", re.compile(r"(?<!\d)[1-9]\d{16}[\dXx](?![\dXx])"), checks.resident),
    Detector("national id", re.compile(r"(?<![\d.])\d{2} ?\d{3} ?\d{3} ?\d{3}(?![\d.])"), checks.steuer_id),
    Detector("national id", re.compile(r"(?<!\d)[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}(?!\d)"), checks.aadhaar),
    Detector("national id", re.compile(r"(?<![\d-])\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])"), checks.social_security),
    Detector(
        "national id",
        re.compile(r"\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b", re.IGNORECASE),
        checks.national_insurance,
    ),
    Detector("national id", re.compile(r"\b[XYZ]?-?\d{7,8}-?[A-HJ-NP-TV-Z]\b", re.IGNORECASE), checks.dni),
    Detector("ip", re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)"), is_address, hint="."),
    Detector("ip", re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"), is_address, hint=":"),
    Detector(
        "phone",
        re.compile(r"(?<![\w.+-])(?:\+|00)[1-9]\d{0,3}[ ./-]?\(?\d{1,5}\)?(?:[ ./-]?\d{1,5}){1,6}(?![\w-])"),
        is_phone,
    ),
    Detector("phone", re.compile(r"(?<![\w.+-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"), is_phone),
    Detector("phone", re.compile(r"(?<![\w.+-])0\d{2,4}[ /-]\d{3,5}(?:[ -]?\d{2,5}){0,3}(?![\w-])"), is_phone),
    Detector("phone", re.compile(r"(?<![\w.+-])1[3-9]\d{9}(?![\w-])"), is_phone),
)
