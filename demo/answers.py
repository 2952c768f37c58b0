"""What the simulated model says to a prompt."""

import re
from dataclasses import dataclass, replace

from demo.prompt import Prompt
from demo.schema import example
from demo.tokens import count, pieces
from demo.tools import Call, choose
from schemas.codec import dumps

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_WORDS_WANTED = re.compile(r"simulate (\d{1,5}) words", re.IGNORECASE)
_ECHO_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer; `finish_reason` is GLM's."""

    reasoning: str
    text: str
    calls: tuple[Call, ...] = ()
    finish_reason: str = "stop"

    @property
    def reasoning_tokens(self) -> int:
        """The rough count for the thinking alone."""
        return count(self.reasoning)

    @property
    def tokens(self) -> int:
        """The rough count for everything the model wrote."""
        return self.reasoning_tokens + count(self.text) + sum(count(call.name + call.arguments) for call in self.calls)


def answer(prompt: Prompt) -> Reply:
    """The answer to `prompt`: the same for the same prompt, cut at its stop word or at `max_tokens`."""
    calls = () if prompt.results else choose(prompt)
    reasoning = _reasoning(prompt, calls) if prompt.thinking else ""
    if calls:
        return _limit(Reply(reasoning, "", calls, "tool_calls"), prompt.max_tokens)
    text = _text(prompt)
    if prompt.stop:
        text = text.partition(prompt.stop)[0]
    return _limit(Reply(reasoning, text), prompt.max_tokens)


def _limit(reply: Reply, limit: int | None) -> Reply:
    if limit is None or reply.tokens <= limit:
        return reply
    reasoning = "".join(pieces(reply.reasoning)[:limit])
    text = "".join(pieces(reply.text)[: limit - count(reasoning)])
    return replace(reply, reasoning=reasoning, text=text, calls=(), finish_reason="length")


def _reasoning(prompt: Prompt, calls: tuple[Call, ...]) -> str:
    if calls:
        return f"The user wants something a tool knows.\nI call {', '.join(call.name for call in calls)}."
    if _CHINESE.search(prompt.asked):
        return "用户用中文提问。\n我是模拟器，应当说明这一点，并重复用户的话。"
    return "The user wrote to me.\nI am only a simulator, so I say so plainly and repeat what was asked."


def _text(prompt: Prompt) -> str:
    if prompt.json:
        return _json(prompt)
    if found := _WORDS_WANTED.search(prompt.asked):
        return " ".join(f"word{number}" for number in range(1, int(found.group(1)) + 1))
    return _chinese(prompt) if _CHINESE.search(prompt.asked) else _english(prompt)


def _json(prompt: Prompt) -> str:
    value = {"simulator": True, "asked": _echo(prompt.asked), "answer": "This is the bundled GLM simulator speaking."}
    return dumps(example(prompt.schema, prompt.asked) if prompt.schema else value).decode()


def _english(prompt: Prompt) -> str:
    sentences = ["Hello! This is the bundled GLM simulator speaking, not a real model."]
    if prompt.images:
        sentences.append(f"I can tell that you sent {prompt.images} image{'s' * (prompt.images > 1)}.")
    if prompt.results:
        sentences += [f"The tool {name} answered: “{_echo(result)}”." for name, result in prompt.results]
    else:
        sentences.append(f"You asked: “{_echo(prompt.asked)}”.")
    sentences.append("Set GLM_API_KEY and start the gateway again to talk to the real GLM.")
    return " ".join(sentences)


def _chinese(prompt: Prompt) -> str:
    sentences = ["你好！我是内置的 GLM 模拟器，不是真正的模型。"]
    if prompt.images:
        sentences.append(f"我看到你发来了 {prompt.images} 张图片。")
    if prompt.results:
        sentences += [f"工具 {name} 的结果是：“{_echo(result)}”。" for name, result in prompt.results]
    else:
        sentences.append(f"你刚才说：“{_echo(prompt.asked)}”。")
    sentences.append("设置 GLM_API_KEY 后重新启动网关，就可以和真正的 GLM 对话。")
    return "".join(sentences)


def _echo(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _ECHO_CHARACTERS else text[:_ECHO_CHARACTERS] + "…"
