"""Short ways to write prompts, remember them and have them judged."""

from dataclasses import replace
from datetime import date

from core.catalogue import load_catalogue
from core.prompt_cache.chain import chain_of
from core.prompt_cache.donors import donor_of
from core.prompt_cache.expectation import best
from core.prompt_cache.judge import judge
from core.prompt_cache.names import keeping, sought
from core.prompt_cache.prompt import Identity, Prompt
from core.prompt_cache.rules import RULES
from schemas.model import Price
from schemas.usage import Usage

CATALOGUE = load_catalogue()
TODAY = date(2026, 11, 25)
NOW = 1_795_000_000.0
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
GLM, CLAUDE = RULES["glm"], replace(RULES["anthropic"], minimum=512)
AT_ZAI = Identity("tenant", "glm-5.3", "zhipu", "key-1", "glm-5.3")
AT_ANTHROPIC = Identity("tenant", "claude-opus-5-5", "anthropic", "key-1", "claude-opus-5-5")


def price(model: str, prompt: int = 0) -> Price:
    """The price of today for a prompt of so many tokens."""
    found = CATALOGUE.find(model).price_on(TODAY, prompt)
    assert found is not None
    return found


def talk(*says: str, **fields) -> dict:
    """A body in OpenAI's form, whose speakers take turns."""
    messages = [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(says)]
    return {"model": "glm-5.3", "messages": messages, **fields}


def blocks(*says: str, marks: tuple[int, ...] = (-1,), mark: dict = MARK, system: str = "", **fields) -> dict:
    """A body in Anthropic's form with a mark on those of its turns."""
    content = [[{"type": "text", "text": text}] for text in says]
    for index in marks:
        content[index][0]["cache_control"] = mark
    messages = [{"role": ("user", "assistant")[index % 2], "content": parts} for index, parts in enumerate(content)]
    return {"model": "claude-opus-5-5", "system": system, "messages": messages, **fields}


def prompt(body: dict, started: float = NOW, identity: Identity = AT_ZAI, client: dict | None = None) -> Prompt:
    """The body as it was sent in OpenAI's form; `client` is what the client had sent, if that was something else."""
    chain = chain_of(body, "openai_chat")
    return Prompt(identity, chain, chain if client is None else chain_of(client, "openai_chat"), started)


def claude(body: dict, started: float = NOW, identity: Identity = AT_ANTHROPIC, client: dict | None = None) -> Prompt:
    """The same in Anthropic's form."""
    chain = chain_of(body, "anthropic_messages")
    return Prompt(identity, chain, chain if client is None else chain_of(client, "anthropic_messages"), started)


class Memory(dict):
    """What a store would keep, by name."""

    def remember(self, asked: Prompt, usage: Usage, rules=GLM, begun: float = 1.0) -> None:
        """Keep what this request has left; its answer began `begun` seconds after it was sent."""
        donor = donor_of(asked, asked.started + begun, usage, rules)
        assert donor is not None
        self.update(keeping(donor, asked))

    def match(self, asked: Prompt, rules=GLM):
        """What is found for this prompt."""
        return best({name: self[name] for name in sought(asked) if name in self}, asked, rules)

    def judge(self, asked: Prompt, usage: Usage | None, model: str = "glm-5.3", rules=GLM, **more):
        """What is found of this answered request, at the price of that model."""
        return judge(asked, self.match(asked, rules), usage, price(model, usage.prompt if usage else 0), rules, **more)
