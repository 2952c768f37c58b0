"""Secrets are recognised by the name they stand under or by their shape."""

import re

MASK = "********"

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:authorization|cookie|password|passwd|secret|token|bearer|api_?keys?|access_key|private_key)$"
)
_SHAPES = re.compile(
    r"\b(?:bearer|basic)\s+[^\s\"',;]+"  # an Authorization header's value
    r"|\b(?:sk|gsk|xai|rk|pk)[-_][A-Za-z0-9_\-]{8,}"  # OpenAI, Anthropic, Groq, xAI
    r"|\bgw-[A-Za-z0-9_\-]{20,}"  # this gateway
    r"|\bAIza[A-Za-z0-9_\-]{16,}"  # Google
    r"|\b[0-9a-f]{16,}\.[A-Za-z0-9]{8,}"  # GLM: <id>.<secret>
    r"|\beyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*){0,2}",  # JWT
    re.IGNORECASE,
)
_URL_USERINFO = re.compile(r"(://[^\s:/@]*:)[^\s/@]+(?=@)")
_URL_PARAMETER = re.compile(r"([?&](?:password|token|secret|api_?key|key)=)[^&\s\"']+", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Say whether what stands under `name` is a secret: `X-Api-Key` is one, `prompt_tokens` and `token_id` are not."""
    return _SECRET_NAME.search(name.lower().replace("-", "_")) is not None


def mask_url(text: str) -> str:
    """Return `text` with the passwords inside URLs replaced; the rest of each URL stays readable."""
    if "://" not in text:
        return text
    return _URL_PARAMETER.sub(rf"\1{MASK}", _URL_USERINFO.sub(rf"\1{MASK}", text))


def mask_text(text: str) -> str:
    """Return `text` with everything that has the shape of a key, a token or a URL's password replaced."""
    return _SHAPES.sub(MASK, mask_url(text))
