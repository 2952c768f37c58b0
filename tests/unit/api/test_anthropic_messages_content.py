"""What becomes of text, images, documents and results."""

from typing import Any

import pytest

from core.errors import InvalidRequest
from schemas.chat import DocumentPart, ImagePart, OpaquePart, Part, TextPart
from tests.unit.api.anthropic_messages_kit import parse

MARK = {"type": "ephemeral"}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}


def parts(*blocks: dict[str, Any]) -> tuple[Part, ...]:
    (message,) = parse(messages=[{"role": "user", "content": list(blocks)}]).messages
    return message.parts


def brought(content: Any, **fields: Any) -> tuple[Part, ...]:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": content, **fields}
    return parse(messages=[CALL, {"role": "user", "content": [result]}]).messages[1].parts


def refusal(*blocks: dict[str, Any]) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        parts(*blocks)
    return caught.value.param


def test_text_keeps_its_cache_mark() -> None:
    blocks = ({"type": "text", "text": "a", "cache_control": MARK}, {"type": "text", "text": "b", "citations": None})
    assert parts(*blocks) == (TextPart("a", MARK), TextPart("b"))


def test_an_image_is_a_url_whatever_it_came_as() -> None:
    url = {"type": "url", "url": "https://x/y.png"}
    assert parts({"type": "image", "source": url, "cache_control": MARK}) == (ImagePart("https://x/y.png", cache=MARK),)
    assert parts({"type": "image", "source": PNG}) == (ImagePart("data:image/png;base64,iVBORw0="),)


@pytest.mark.parametrize("kind", ["image", "document"])
def test_what_only_its_provider_can_read_is_carried_as_it_came(kind: str) -> None:
    block = {"type": kind, "source": {"type": "file", "file_id": "f1"}}
    assert parts(block) == (OpaquePart(kind, block),)


def test_a_document_is_a_url_or_text() -> None:
    url = {"type": "url", "url": "https://x/y.pdf"}
    text = {"type": "text", "media_type": "text/plain", "data": "words"}
    assert parts({"type": "document", "source": PDF, "title": "T", "cache_control": MARK}) == (
        DocumentPart("data:application/pdf;base64,JVBERi0=", name="T", cache=MARK),
    )
    assert parts({"type": "document", "source": url}) == (DocumentPart("https://x/y.pdf"),)
    assert parts({"type": "document", "source": text, "title": "T"}) == (DocumentPart(text="words", name="T"),)


def test_a_document_made_of_blocks_is_their_text_with_the_images_behind() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image", "source": PNG}, {"type": "text", "text": "b"}]
    assert parts({"type": "document", "source": {"type": "content", "content": content}}) == (
        DocumentPart(text="a\nb"),
        ImagePart("data:image/png;base64,iVBORw0="),
    )
    assert parts({"type": "document", "source": {"type": "content", "content": "ab"}}) == (DocumentPart(text="ab"),)


def test_what_is_told_about_a_document_stands_ahead_of_it() -> None:
    block = {"type": "document", "source": PDF, "context": "From 1999."}
    assert parts(block)[0] == TextPart("From 1999.")


def test_a_found_passage_is_text_with_its_title_and_source() -> None:
    found = {
        "type": "search_result",
        "source": "https://x",
        "title": "T",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "cache_control": MARK,
    }
    assert parts(found) == (TextPart("T\nhttps://x\n\na\nb", MARK),)


def test_an_unknown_block_is_carried_as_it_came() -> None:
    block = {"type": "container_upload", "file_id": "f", "source": 5, "content": {"text": 1}}
    assert parts(block) == (OpaquePart("container_upload", block),)


def test_a_tool_may_bring_text_images_documents_and_what_nobody_knows() -> None:
    unknown = {"type": "something_new", "text": 5}
    content = [{"type": "text", "text": "a"}, {"type": "image", "source": PNG}]
    assert brought([*content, {"type": "document", "source": PDF}, unknown]) == (
        TextPart("a"),
        ImagePart("data:image/png;base64,iVBORw0="),
        DocumentPart("data:application/pdf;base64,JVBERi0="),
        OpaquePart("something_new", unknown),
    )


def test_a_tool_that_was_found_is_told_of_by_its_name() -> None:
    assert brought([{"type": "tool_reference", "tool_name": "f"}]) == (TextPart("The tool f can be used."),)
    nameless = {"type": "tool_reference", "tool_name": 5}
    assert brought([nameless]) == (OpaquePart("tool_reference", nameless),)


@pytest.mark.parametrize("content", ["", [], None])
def test_a_tool_may_bring_nothing(content: Any) -> None:
    assert brought(content, cache_control=MARK) == ()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("a", TextPart("a", MARK)),
        ([{"type": "image", "source": PNG}], ImagePart("data:image/png;base64,iVBORw0=", cache=MARK)),
        (
            [{"type": "document", "source": PDF, "title": "T"}],
            DocumentPart("data:application/pdf;base64,JVBERi0=", None, "T", MARK),
        ),
        ([{"type": "text", "text": "a", "cache_control": {"ttl": "1h"}}], TextPart("a", {"ttl": "1h"})),
        ([{"type": "odd"}], OpaquePart("odd", {"type": "odd"})),
    ],
)
def test_a_mark_on_a_result_is_one_on_its_last_part(content: Any, part: Part) -> None:
    assert brought(content, cache_control=MARK) == (part,)


def test_only_the_last_part_of_a_result_is_marked() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert brought(content, cache_control=MARK) == (TextPart("a"), TextPart("b", MARK))


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"type": "base64", "data": "x"}, "media_type"),
        ({"type": "base64", "media_type": "image/png"}, "data"),
        ({"type": "url"}, "url"),
        ({"type": "url", "url": "file:///etc/passwd"}, "url"),
        ({"data": "x"}, "type"),
    ],
)
def test_a_source_that_lacks_something_is_refused_by_its_path(source: dict[str, Any], field: str) -> None:
    for kind in ("image", "document"):
        assert refusal({"type": kind, "source": source}) == f"messages[0].content[0].source.{field}"
    assert refusal({"type": "document", "source": {"type": "text"}}) == "messages[0].content[0].source.data"


def test_what_is_wrong_inside_a_result_is_refused_by_its_whole_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        brought([{"type": "text", "text": "a"}, {"type": "image", "source": {"type": "url", "url": "x"}}])
    assert caught.value.param == "messages[1].content[0].content[1].source.url"
