"""Secrets: those that are known, and what has the shape of one."""

import re
from collections.abc import Iterable, Sequence

from core.redaction.detector import Detector

SHORTEST = 6
"""A shorter configured value is a word that may stand anywhere."""
AT_ONCE = 500
"""How many known secrets one expression holds."""
NAMES = "password|passwd|passphrase|secret|(?:api|access|private|secret)[_-]?key|(?:access|refresh|auth|id)[_-]?token"
HEADERS = "(?:proxy-)?authorization|x-api-key|(?:set-)?cookie"

SECRETS: Sequence[Detector] = (
    Detector(
        "private key",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?:(?!-----)[\s\S]){0,8000}-----END [A-Z0-9 ]{0,30}-----|[A-Za-z0-9+/=\s\\]{0,8000})"
        ),
        hint="-----BEGIN",
    ),
    Detector("token", re.compile(r"\beyJ[\w-]{8,4000}\.[\w-]{8,6000}(?:\.[\w-]{0,2000})?"), hint="eyJ"),
    Detector("secret", re.compile(r"(?i)\b(?:bearer|basic)[ \t]{1,5}[A-Za-z0-9._~+/=-]{8,4000}")),
    Detector("secret", re.compile(r"\b(?:sk|gsk|xai|rk|pk|gw)[-_][\w-]{8,300}")),
    Detector("secret", re.compile(r"\bAIza[\w-]{16,60}"), hint="AIza"),
    Detector("secret", re.compile(r"\b[0-9a-f]{16,64}\.[A-Za-z0-9]{8,64}\b"), hint="."),
    Detector("secret", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    Detector("secret", re.compile(r"\b(?:gh[oprsu]|github_pat|glpat|xox[abprs]|hf|npm|pypi)[-_][\w-]{10,255}")),
    Detector("secret", re.compile(r"(?<=hooks\.slack\.com/services/)[\w/]{8,100}"), hint="hooks.slack"),
    Detector("secret", re.compile(rf"(?i)(?<![\w-])(?:{HEADERS})[ \t]{{0,5}}:[ \t]{{0,5}}[^\r\n\"'\\\[]{{4,4000}}")),
    Detector("secret", re.compile(r"(?<!\S)(?:-u|--user)[ =][\"']?[^\s\"':]{1,100}:[^\s\"']{1,200}"), hint="-u"),
    Detector("secret", re.compile(rf"(?i)(?:{NAMES})[\"'\\]{{0,3}}\s{{0,5}}[:=]\s{{0,5}}\\?[\"'][^\"'\\]{{1,500}}")),
    Detector(
        "secret", re.compile(r"\b[A-Z][A-Z0-9_]{0,60}(?:PASSWORD|SECRET|API_KEY|TOKEN)=[^\s\"'\\]{4,500}"), hint="="
    ),
    Detector("secret", re.compile(rf"(?i)(?:{NAMES})[ \t]{{0,3}}[:=][ \t]{{0,3}}[^\s\"'&;,<>(){{}}\[\]\\]{{6,500}}")),
    Detector("secret", re.compile(r"(?<=://)[^\s/:@]{0,100}:[^\s/@]{1,200}(?=@)"), hint="://"),
)
"""The keys of providers, of this gateway, of common services, tokens, and passwords by their names and in addresses."""


def exactly(values: Iterable[str]) -> list[Detector]:
    """Detectors of these very texts, the longest first."""
    known = sorted({value for value in values if len(value) >= SHORTEST}, key=len, reverse=True)
    parts = (known[start : start + AT_ONCE] for start in range(0, len(known), AT_ONCE))
    return [Detector("secret", re.compile("|".join(map(re.escape, part)))) for part in parts]
