"""Data takes the place of links in a body that is forwarded, and everything else of it stays."""

from services.linked_native import with_data

URL, OTHER = "https://example.com/a.png", "https://example.com/b.png"
DATA = "data:image/png;base64,QUJD"
FETCHED = {URL: DATA}


def body(*parts):
    return {"model": "m", "messages": [{"role": "user", "content": list(parts)}], "metadata": {"url": URL}}


def shown(*parts):
    return with_data(body(*parts), FETCHED)["messages"][0]["content"]


def test_links_of_openais_form_become_data_with_all_that_stands_beside_them():
    assert shown({"type": "image_url", "image_url": {"url": URL, "detail": "high"}, "x": 1}) == [
        {"type": "image_url", "image_url": {"url": DATA, "detail": "high"}, "x": 1}
    ]
    assert shown({"type": "image_url", "image_url": URL}) == [{"type": "image_url", "image_url": DATA}]
    assert shown({"type": "file", "file": {"file_data": URL, "filename": "a"}}) == [
        {"type": "file", "file": {"file_data": DATA, "filename": "a"}}
    ]


def test_links_of_anthropics_form_become_data_also_in_results_of_tools():
    image = {"type": "image", "source": {"type": "url", "url": URL}, "cache_control": {"type": "ephemeral"}}
    source = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    assert shown(image, {"type": "tool_result", "tool_use_id": "t", "content": [image]}) == [
        {**image, "source": source},
        {"type": "tool_result", "tool_use_id": "t", "content": [{**image, "source": source}]},
    ]


def test_what_was_not_fetched_stays_as_it_is():
    for whole in (
        body({"type": "image_url", "image_url": {"url": OTHER}}, {"type": "text", "text": URL}),
        body({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": URL}}),
        {"messages": [{"role": "user", "content": URL}]},
        {"messages": None},
    ):
        assert with_data(whole, FETCHED) is whole
    assert with_data(body({"type": "image_url", "image_url": {"url": URL}}), FETCHED)["metadata"] == {"url": URL}
