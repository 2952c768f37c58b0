"""What a failed validation tells the client."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from core.errors import InvalidRequest
from schemas.codec import dumps
from schemas.finite import infinite_at

UNION_BRANCH = re.compile(
    r"^(str|int|float|bool|list\[.*|dict\[.*|literal\[.*|function-.*|constrained-.*|Wire\w+|LegacyFunctionChoice|ImageUrl)$"
)
"""pydantic puts the branch of a union into the location of an error; a client knows of no branches."""
KINDS: Mapping[str, str] = {
    "string_type": "a string",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "bool_type": "true or false",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
}
"""What a client calls the kind of value that pydantic misses."""
MAX_SHOWN = 60


def invalid_request(error: ValidationError) -> InvalidRequest:
    """The most exact of the problems, as an error that names its field."""
    problems = error.errors(include_url=False, include_context=False)
    deepest = max(problems, key=lambda problem: len(problem["loc"]))
    path = _path(deepest["loc"])
    if deepest["type"] == "missing":
        return missing(path)
    if deepest["type"] == "extra_forbidden":
        return InvalidRequest(f"{path} is not known here.", param=path, code="invalid_value")
    # A value that fits no form of a union makes one problem for each of them.
    wanted = dict.fromkeys(_wanted(problem) for problem in problems if _path(problem["loc"]) == path)
    message = f"{path}: must {' or '.join(wanted).replace(' or be ', ' or ')}{_shown(deepest['input'])}."
    return InvalidRequest(message, param=path, code="invalid_value")


def check_finite(value: Any) -> None:
    """Raises InvalidRequest, which names the field, for a number that is too large to be kept."""
    path = infinite_at(value)
    if path is not None:
        raise InvalidRequest(f"{path}: must be a number that is finite.", param=path, code="invalid_value")


def missing(path: str) -> InvalidRequest:
    """The error for a field that is needed and not there."""
    return InvalidRequest(f"{path} is missing.", param=path, code="missing_required_parameter")


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not UNION_BRANCH.match(step):
            path += f".{step}" if path else step
    return path


def _wanted(problem: Mapping[str, Any]) -> str:
    """What the value must do, as words that follow "must"."""
    kind = KINDS.get(problem["type"])
    if kind is not None:
        return f"be {kind}"
    message: str = problem["msg"].removeprefix("Value error, ").partition(" after validation")[0]
    return re.sub(r"^(Input|List|String) should |^must ", "", message)


def _shown(value: Any) -> str:
    if isinstance(value, str | int | float) or value is None:
        shown = repr(value[:MAX_SHOWN]) if isinstance(value, str) else dumps(value).decode()
        return f", not {shown if len(shown) <= 2 * MAX_SHOWN else shown[:MAX_SHOWN] + '…'}"
    return ""
