"""What Gemini refuses of a request's body."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

PARAMETERS = frozenset(
    {
        "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent",
        "labels",
    }
)  # fmt: skip
GENERATION = frozenset(
    {
        "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed", "responseMimeType",
        "responseJsonSchema", "responseSchema", "thinkingConfig", "presencePenalty", "frequencyPenalty",
        "responseLogprobs", "logprobs", "responseModalities",
    }
)  # fmt: skip
PARTS = frozenset({"text", "inlineData", "fileData", "functionCall", "functionResponse"})
FLAGS = frozenset({"thought", "thoughtSignature"})
MOST_STOPS = 5


def problems(body: Json) -> Iterator[str]:
    """What would be answered with an error, in words."""
    config = body.get("generationConfig") or {}
    yield from (f"unknown name {name}" for name in body if name not in PARAMETERS)
    yield from (f"unknown name {name} at generationConfig" for name in config if name not in GENERATION)
    if len(config.get("stopSequences", ())) > MOST_STOPS:
        yield f"{len(config['stopSequences'])} stopSequences"
    if {"thinkingBudget", "thinkingLevel"} <= set(config.get("thinkingConfig") or {}):
        yield "thinkingBudget and thinkingLevel"
    yield from _contents(body["contents"])
    for tool in body.get("tools") or ():
        for function in tool.get("functionDeclarations", ()):
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}", function["name"]):
                yield f"a function cannot be called {function['name']}"


def _contents(contents: Sequence[Json]) -> Iterator[str]:
    if not contents or contents[0]["role"] != "user" or contents[-1]["role"] != "user":
        yield "contents must begin and end with the user"
    called: list[str] = []
    for number, content in enumerate(contents):
        where = f"contents[{number}]"
        if content["role"] not in ("user", "model"):
            yield f"{where}: role {content['role']}"
        if not content["parts"]:
            yield f"{where}: no parts"
        for part in content["parts"]:
            if len(PARTS & set(part)) != 1 or set(part) - PARTS - FLAGS or part.get("text") == "":
                yield f"{where}: a part of {sorted(part)}"
        answered = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
        if sorted(answered) != sorted(called):
            yield f"{where}: functionResponse of {answered} for functionCall of {called}"
        called = [part["functionCall"]["name"] for part in content["parts"] if "functionCall" in part]
