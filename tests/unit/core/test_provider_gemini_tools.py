"""What the Gemini provider promises of tools and of the choice among them."""

import pytest

from schemas.chat import HostedTool, Tool, ToolChoice
from tests.unit.core.gemini_kit import sent, target

WEATHER = Tool("weather", "tells it", {"type": "object", "properties": {"city": {"type": "string"}}})
CLOCK = Tool("clock", parameters={"type": "object", "properties": {}})
SEARCH = HostedTool("google_search", {"type": "google_search"})


def mode(choice, *tools, **options):
    body, dropped = sent(to=target(**options), tools=tools or (WEATHER, CLOCK), tool_choice=choice)
    return body.get("toolConfig", {}).get("functionCallingConfig"), dropped


def test_functions_are_declared_with_json_schema_and_without_empty_parameters():
    assert sent(tools=(WEATHER, CLOCK, Tool("bare")))[0]["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "tells it",
                    "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
                },
                {"name": "clock"},
                {"name": "bare"},
            ]
        }
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (ToolChoice("auto"), None),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("named", "clock"), {"mode": "ANY", "allowedFunctionNames": ["clock"]}),
        (ToolChoice("required", names=("clock",)), {"mode": "ANY", "allowedFunctionNames": ["clock"]}),
        (ToolChoice("auto", names=("clock", "odd")), {"mode": "VALIDATED", "allowedFunctionNames": ["clock"]}),
        (ToolChoice("auto", names=("odd",)), None),
    ],
)
def test_a_choice_is_said_in_geminis_words(choice, expected):
    assert mode(choice) == (expected, ())


def test_the_functions_stay_the_same_whatever_the_choice():
    choices = (None, ToolChoice("none"), ToolChoice("named", "clock"), ToolChoice("auto", names=("clock",)))
    bodies = [sent(tools=(WEATHER, CLOCK), tool_choice=choice)[0]["tools"] for choice in choices]
    assert all(tools == bodies[0] for tools in bodies)


@pytest.mark.parametrize("choice", [ToolChoice("required"), ToolChoice("named", "google_search")])
def test_a_call_of_googles_own_tools_cannot_be_forced(choice):
    assert mode(choice, SEARCH) == (None, ("tool_choice",))


def test_a_choice_of_no_tool_leaves_googles_own_out():
    body, dropped = sent(tools=(WEATHER, SEARCH), tool_choice=ToolChoice("none"))
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"]]
    assert dropped == ()
    assert "tools" not in sent(tools=(SEARCH,), tool_choice=ToolChoice("none"))[0]


def test_a_choice_without_tools_is_no_choice():
    assert sent(tool_choice=ToolChoice("required")) == sent()


def test_a_forced_call_that_the_model_refuses_is_dropped():
    assert mode(ToolChoice("required"), refuses={"tool_choice.required"}) == (None, ("tool_choice",))
    named = ToolChoice("named", "clock")
    assert mode(named, refuses={"tool_choice.required"}) == ({"mode": "ANY", "allowedFunctionNames": ["clock"]}, ())
