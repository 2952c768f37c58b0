"""What is written down, and where."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from config.group import Group

Pattern = Annotated[str, Field(min_length=1, max_length=500)]


class RequestLogSettings(Group):
    """One JSON object for each request and its answer, whole, up to `max_bytes` of each.

    `file` None means beside the other events. Secrets are always taken out, personal data unless it is to be kept;
    `patterns` are more regular expressions to take out, by the word that is to stand there.
    """

    enabled: bool = False
    file: Path | None = None
    max_bytes: int = Field(65_536, ge=256, le=16 * 1024 * 1024)
    personal_data: Literal["redact", "keep"] = "redact"
    patterns: dict[str, Pattern] = Field(default_factory=dict)

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            try:
                empty = re.compile(pattern).match("") is not None
            except re.error as error:
                raise ValueError(f"{name!r} is no regular expression: {error}") from None
            if empty:
                raise ValueError(f"{name!r} fits an empty text, so it would stand everywhere")
        return patterns


class LoggingSettings(Group):
    """`file` None means standard output; `prompts` logs message texts, which is off unless asked for.

    `format` auto means lines for people on a terminal, and JSON everywhere else.
    """

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    format: Literal["auto", "json", "console"] = "auto"
    file: Path | None = None
    max_bytes: int = Field(100 * 1024 * 1024, ge=1024)
    backup_count: int = Field(5, ge=0)
    prompts: bool = False
    requests: RequestLogSettings = RequestLogSettings()
