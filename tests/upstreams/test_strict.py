"""The strict upstream refuses what providers refuse, and nothing else."""

from typing import Any

import pytest

from tests.upstreams.strict import problems

Json = dict[str, Any]
HI: Json = {"role": "user", "content": "Hi"}
CALL: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOLD: Json = {"role": "tool", "tool_call_id": "c1", "content": "r"}
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
IMAGE: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
USE: Json = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
RESULT: Json = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}


def openai(*messages: Json, **fields: Any) -> Json:
    return {"model": "m", "messages": list(messages or (HI,)), **fields}


def claude(*messages: Json, **fields: Any) -> Json:
    return {"model": "claude-opus-4-8", "max_tokens": 4096, "messages": list(messages or (HI,)), **fields}


def gemini(*contents: Json, **fields: Any) -> Json:
    return {"contents": list(contents or ({"role": "user", "parts": [{"text": "Hi"}]},)), **fields}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("openai", openai(HI, CALLED, TOLD, HI, tools=[TOOL], tool_choice="auto", max_completion_tokens=9)),
        ("openai", openai({"role": "user", "content": [{"type": "text", "text": "x"}, IMAGE]})),
        ("groq", openai(reasoning_effort="low", reasoning_format="parsed")),
        ("deepseek", openai(HI, {**CALLED, "reasoning_content": ""}, TOLD)),
        ("deepseek", openai(HI, CALLED, TOLD, thinking={"type": "disabled"})),
        ("glm", openai(tools=[TOOL], tool_choice="auto", thinking={"type": "enabled"})),
        ("anthropic", claude(HI, USE, {"role": "user", "content": [RESULT]}, thinking={"type": "adaptive"})),
        ("gemini", gemini(generationConfig={"topK": 1})),
    ],
)
def test_what_is_right_passes(kind: str, body: Json) -> None:
    assert list(problems(kind, body)) == []


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("openai", openai(thinking={}), "unknown parameter thinking"),
        ("openai", openai(max_tokens=9), "a reasoning model takes no max_tokens"),
        ("openai", openai(reasoning_effort="max"), "reasoning_effort max"),
        ("openai", openai(max_completion_tokens=200_000), "200000 is more than 128000"),
        ("openai", openai(tool_choice="auto"), "tool_choice without tools"),
        (
            "openai",
            openai(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
            "of type web_search_20250305",
        ),
        ("openai", openai(tools=[{**TOOL, "function": {"name": "f" * 65}}]), "a tool cannot be called"),
        ("openai", openai(HI, CALLED), "no result for c1"),
        ("openai", openai(HI, TOLD), "which was not called"),
        ("openai", openai(HI, {**CALLED, "reasoning_content": "hm"}, TOLD), "unknown field reasoning_content"),
        ("openai", openai(HI, {**CALLED, "tool_calls": [{**CALL, "id": "c" * 41}]}), "tool_calls.id has 41"),
        ("openai", openai(HI, CALLED, {**TOLD, "content": [IMAGE]}), "a part of type image_url"),
        ("openai-compatible", openai({"role": "assistant", "content": None}), "no content"),
        ("groq", openai({"role": "user", "content": [IMAGE]}), "a part of type image_url"),
        ("groq", openai(reasoning_effort="none"), "reasoning_effort none"),
        ("groq", openai({**HI, "name": "zoe"}), "name zoe"),
        ("grok", openai(stop=["x"]), "unknown parameter stop"),
        ("deepseek", openai(HI, CALLED, TOLD), "must be passed back"),
        ("deepseek", openai(response_format={"type": "json_schema"}), "json_schema is unknown"),
        ("glm", openai(tools=[TOOL], tool_choice="required"), "tool_choice required"),
        ("glm", openai(stop=["a", "b"]), "stop has 2 words"),
        ("anthropic", claude(temperature=1), "temperature is not supported"),
        ("anthropic", claude(max_tokens=0), "max_tokens 0"),
        ("anthropic", claude({"role": "assistant", "content": "x"}), "the first message"),
        ("anthropic", claude(HI, USE), "no tool_result for t1"),
        ("anthropic", claude(HI, USE, HI), "tool_result for []"),
        ("anthropic", claude({"role": "user", "content": [{"type": "text", "text": " "}]}), "white space"),
        ("anthropic", claude(thinking={"type": "enabled", "budget_tokens": 2048}), "enabled is not supported"),
        ("anthropic", claude(tools=[{"name": "f", "input_schema": {}}]), "input_schema of f is no object"),
        ("anthropic", claude(tools=[{"type": "web_search", "name": "w"}]), "a tool of type web_search"),
        ("glm-anthropic", {**claude(thinking={"type": "enabled"}), "model": "glm-4.6"}, "budget_tokens None"),
        ("gemini", gemini(model="m"), "unknown name model"),
        ("gemini", gemini(generationConfig={"stopSequences": ["a"] * 6}), "6 stopSequences"),
        ("gemini", gemini({"role": "user", "parts": [{"text": ""}]}), "a part of ['text']"),
        ("gemini", gemini({"role": "model", "parts": [{"text": "x"}]}), "begin and end with the user"),
        (
            "gemini",
            gemini({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}),
            "functionResponse of ['f'] for functionCall of []",
        ),
    ],
)
def test_what_is_wrong_is_told_in_words(kind: str, body: Json, said: str) -> None:
    assert any(said in problem for problem in problems(kind, body)), list(problems(kind, body))


def test_five_marks_are_too_many() -> None:
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    assert not list(problems("anthropic", claude({"role": "user", "content": [marked] * 4})))
    assert list(problems("anthropic", claude({"role": "user", "content": [marked] * 5})))
