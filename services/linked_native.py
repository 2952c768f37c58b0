"""Puts data in the place of links in a body that is forwarded as the client wrote it."""

from collections.abc import Mapping
from typing import Any

Fetched = Mapping[str, str]


def with_data(body: Mapping[str, Any], fetched: Fetched) -> Mapping[str, Any]:
    """The same body where nothing of `fetched` (data URLs by their links) stands in it, in either dialect."""
    messages = body.get("messages")
    shown = _shown(messages, fetched)
    return body if shown is messages else {**body, "messages": shown}


def _shown(value: Any, fetched: Fetched) -> Any:
    if isinstance(value, list):
        inner = [_shown(each, fetched) for each in value]
        return inner if any(new is not old for new, old in zip(inner, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    edits = {name: edit(value[name], fetched) for name, edit in PLACES.items() if name in value}
    edits = {name: new for name, new in edits.items() if new is not value[name]}
    return {**value, **edits} if edits else value


def _image_url(value: Any, fetched: Fetched) -> Any:
    if isinstance(value, str):
        return fetched.get(value, value)
    return _in(value, "url", fetched)


def _file(value: Any, fetched: Fetched) -> Any:
    return _in(value, "file_data", fetched)


def _in(value: Any, name: str, fetched: Fetched) -> Any:
    data = fetched.get(str(value.get(name))) if isinstance(value, dict) else None
    return value if data is None else {**value, name: data}


def _source(value: Any, fetched: Fetched) -> Any:
    """Anthropic's `source`."""
    data = fetched.get(str(value.get("url"))) if isinstance(value, dict) and value.get("type") == "url" else None
    if data is None:
        return value
    kind, _, content = data.removeprefix("data:").partition(";base64,")
    return {"type": "base64", "media_type": kind, "data": content}


PLACES = {"content": _shown, "image_url": _image_url, "file": _file, "source": _source}
"""Where in a message, and in its parts, a link may stand."""
