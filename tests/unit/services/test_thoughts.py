"""What is remembered of thinking, and what a request is given back of it."""

from dataclasses import replace

from core.store.memory import MemoryCounters
from schemas.chat import UNSIGNED, ChatRequest, Message, Native, TextPart, ThinkingBlock, ToolCall
from schemas.stream import Finished, ReasoningDelta, Signature, TextDelta, ToolCallDelta
from services.recollection import Recollection
from services.thoughts import BELIEVED_SECONDS, Listener, ThoughtMemory
from tests.fakes import FakeClock

HI = Message("user", (TextPart("hi"),))


class CountedCounters(MemoryCounters):
    """Counters that know how often they were asked for texts."""

    trips = 0

    def kept(self, names, now):  # type: ignore[no-untyped-def] # as the base class has it
        self.trips += 1
        return super().kept(names, now)


class Worker(ThoughtMemory):
    """Finds what it has to before it recalls."""

    def recall(self, request: ChatRequest) -> ChatRequest:  # type: ignore[override] # it finds by itself here
        return super().recall(request, self._recollection.find(self.names(request)))


class House:
    """Two workers with one store."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.counters = CountedCounters()
        self.one, self.two = (Worker(Recollection(self.counters, self.clock)) for _ in range(2))


def asking(*turns: Message, session: str = "s") -> ChatRequest:
    return ChatRequest("m", (HI, *turns), Native("anthropic_messages", {}), session=session)


def said(*thinking: ThinkingBlock, call: str | None = None) -> Message:
    calls = (ToolCall(call, "f", "{}"),) if call else ()
    return Message("assistant", (), calls, thinking=thinking)


def issuers(request: ChatRequest) -> list[str | None]:
    return [block.issuer for message in request.messages for block in message.thinking]


def test_a_signature_is_known_by_its_issuer_on_every_worker() -> None:
    house = House()
    house.one.remember("s", "anthropic", [ThinkingBlock("hm", "sig-1")], ())
    asked = asking(said(ThinkingBlock("hm", "sig-1"), ThinkingBlock("ha", "sig-2"), ThinkingBlock("own")))
    for memory in (house.one, house.two):
        assert issuers(memory.recall(asked)) == ["anthropic", None, UNSIGNED]


def test_thinking_that_led_to_a_call_is_given_back_to_a_client_that_cannot_carry_it() -> None:
    house = House()
    blocks = [ThinkingBlock("why", "sig"), ThinkingBlock(data="blob")]
    house.one.remember("s", "anthropic", blocks, [ToolCall("c1", "f", "")])
    turn = house.two.recall(asking(said(call="c1"))).messages[1]
    assert turn.thinking == tuple(replace(block, issuer="anthropic") for block in blocks)
    assert turn.reasoning == "why"


def test_what_a_client_sends_back_itself_counts_before_what_is_remembered() -> None:
    house = House()
    house.one.remember("s", "anthropic", [ThinkingBlock("why", "sig")], [ToolCall("c1", "f", "")])
    turn = house.one.recall(asking(said(ThinkingBlock("", "sig"), call="c1"))).messages[1]
    assert turn.thinking == (ThinkingBlock("", "sig", issuer="anthropic"),)


def test_a_call_gets_the_signature_of_its_maker_back() -> None:
    house = House()
    house.one.remember("s", "gemini", [], [ToolCall("c1", "f", "", "thought"), ToolCall("c2", "f", "")])
    (call,) = house.two.recall(asking(said(call="c1"))).messages[1].tool_calls
    assert call.signature == "thought"


def test_a_call_of_the_same_name_in_another_session_is_another_call() -> None:
    house = House()
    house.one.remember("s", "gemini", [], [ToolCall("call_0", "f", "", "thought")])
    turn = house.one.recall(asking(said(call="call_0"), session="other")).messages[1]
    assert turn.tool_calls[0].signature is None


def test_what_a_provider_refused_stays_left_out_for_the_session() -> None:
    house = House()
    house.one.refuse("s", frozenset({"thinking_replay"}))
    assert house.two.recall(asking(said(ThinkingBlock("", "sig")))).omit == {"thinking_replay"}
    assert house.two.recall(asking(said(ThinkingBlock("", "sig")), session="other")).omit == frozenset()


def test_a_conversation_that_this_worker_knows_costs_no_trip() -> None:
    house = House()
    house.one.remember("s", "glm", [ThinkingBlock("x")], [ToolCall("c1", "f", "")])
    house.one.recall(asking(said(call="c1")))
    trips = house.counters.trips
    house.one.recall(asking(said(call="c1")))
    house.one.recall(asking(Message("assistant", (TextPart("plain"),))))
    assert house.counters.trips == trips


def test_what_nobody_remembers_is_asked_for_again_after_a_while() -> None:
    house = House()
    asked = asking(said(ThinkingBlock("", "sig")))
    house.one.recall(asked)
    house.two.remember("s", "anthropic", [ThinkingBlock("", "sig")], ())
    assert issuers(house.one.recall(asked)) == [None]
    house.clock.advance(BELIEVED_SECONDS)
    assert issuers(house.one.recall(asked)) == ["anthropic"]


def test_an_answer_is_heard_to_its_end_and_remembered_whole() -> None:
    house = House()
    listener = Listener(house.one, "s")
    chunks = [
        ReasoningDelta("wh"),
        ReasoningDelta("y"),
        Signature("sig"),
        ReasoningDelta("open"),
        Signature("blob", redacted=True),
        TextDelta("so"),
        ToolCallDelta(0, "c1", "f"),
        ToolCallDelta(0, arguments="{}"),
        Finished("tool_calls"),
    ]
    for chunk in chunks:
        listener.hear(chunk, "anthropic")
    turn = house.two.recall(asking(said(call="c1"))).messages[1]
    assert [(b.text, b.signature, b.data) for b in turn.thinking] == [
        ("why", "sig", None),
        ("open", None, None),
        ("", None, "blob"),
    ]


def test_an_answer_that_breaks_off_or_has_no_issuer_is_not_remembered() -> None:
    house = House()
    broken, nobodys = Listener(house.one, "s"), Listener(house.one, "s")
    broken.hear(Signature("sig-1"), "anthropic")
    for chunk in (Signature("sig-2"), Finished("stop")):
        nobodys.hear(chunk, None)
    asked = asking(said(ThinkingBlock("", "sig-1"), ThinkingBlock("", "sig-2")))
    assert issuers(house.one.recall(asked)) == [None, None]
