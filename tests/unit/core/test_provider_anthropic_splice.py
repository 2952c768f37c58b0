"""What replacing one value in the text of a JSON object promises."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.json_splice import MOST_MENTIONS, inserted, is_plain, replaced
from schemas.codec import loads

ODD = (
    b'\n{ "max_tokens" : 10,\t"temperature":1.0 , "top_p":1e-7, "x":12345678901234567890123, "z":-0.0,\r\n'
    b'"messages":[{"role":"user","content":"caf\\u00e9 \\/ \\"model\\": \\"a\\" \xc3\xa9"}], "model"\n :\t"a" }'
)


def spliced(raw, value="b"):
    return replaced(raw, loads(raw), "model", value)


def test_every_other_byte_stays_as_it_was_written():
    assert spliced(ODD) == ODD.replace(b':\t"a"', b':\t"b"')


@pytest.mark.parametrize(
    "raw", [b'{"model":"a"}', b'{"model":"a","z":1}', b'{"z":"model","model":"a"}', b'{"z":1,"model":"a"}']
)
def test_the_member_is_found_wherever_it_stands(raw):
    assert loads(spliced(raw)) == {**loads(raw), "model": "b"}


def test_what_is_added_stands_ahead_and_nothing_else_changes():
    added = {"stream_options": {"include_usage": True}}
    assert replaced(b' {"z":1,"model":"a"}', {"z": 1, "model": "a"}, "model", "b", added) == (
        b' {"stream_options":{"include_usage":true},"z":1,"model":"b"}'
    )
    assert inserted(b' {\n "z":1}', {"model": "b", **added}) == (
        b' {"model":"b","stream_options":{"include_usage":true},\n "z":1}'
    )
    assert inserted(b"{ \n}", {"model": "b"}) == b'{"model":"b" \n}'


def test_a_long_body_is_copied_once():
    raw = b'{"model":"a","messages":"' + b"x" * 5_000_000 + b'"}'
    body = loads(raw)
    for work in (lambda: replaced(raw, body, "model", "b", {"n": 1}), lambda: inserted(raw, {"n": 1})):
        tracemalloc.start()
        try:
            work()
            assert tracemalloc.get_traced_memory()[1] < 1.1 * len(raw)
        finally:
            tracemalloc.stop()


def test_members_of_that_name_with_another_value_are_left_alone():
    tool = (
        b'{"tools":[{"properties":{"model":{"type":"string"}}}],"messages":[{"input":{"model":"c","n":{"model":7}}}],'
    )
    assert spliced(tool + b'"model":"a"}') == tool + b'"model":"b"}'


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","metadata":{"model":"a"}}',
        b'{"metadata":{"model":"a"},"model":"a"}',
        b'{"model":"a","model":"a"}',
        b'{"mod\\u0065l":"a","metadata":{"model":"a"}}',
        b'{"mod\\u006Cl":1,"model":"a"}',
        b'{"model":7}',
        b'{"z":{"model":"a"}}',
        b"{}",
        b'{"model":null}',
    ],
)
def test_nothing_is_replaced_where_it_is_not_plain_which_member_is_meant(raw):
    assert spliced(raw) is None


def test_the_last_of_two_members_counts_as_it_does_for_a_parser():
    assert spliced(b'{"model":"x","model":"a"}') == b'{"model":"x","model":"b"}'


def test_names_with_quotes_and_backslashes_around_them_are_no_key():
    raw = json.dumps({'"model': "a", "\\": '"model": "a"', "text": 'say "model":"a"', "model": "a"}).encode()
    assert loads(spliced(raw)) == {**loads(raw), "model": "b"}


def test_values_are_compared_as_what_they_spell():
    assert (
        spliced('{"model":"gl\\u006d é"}'.encode()) is None
    )  # an escaped letter of the key's own is never looked past
    assert spliced(b'{"model":"a\\/b"}') == b'{"model":"b"}'


def test_a_new_value_is_written_as_json():
    assert spliced(b'{"model":"a"}', 'b"\\é') == '{"model":"b\\"\\\\é"}'.encode()


def test_a_body_full_of_look_alikes_is_not_searched_to_its_end():
    nested = ",".join('{"model":"x"}' for _ in range(MOST_MENTIONS + 1))
    assert spliced(f'{{"z":[{nested}],"model":"a"}}'.encode()) is None
    fewer = ",".join('{"model":"x"}' for _ in range(MOST_MENTIONS - 1))
    assert spliced(f'{{"z":[{fewer}],"model":"a"}}'.encode()).endswith(b'"model":"b"}')


KEYS = st.sampled_from(["model", "mod", '"model"', "model\\", "x"])
VALUES = st.recursive(
    st.sampled_from(["a", "model", '"model":"a"', '\\"model":', "é", 1.0, 1e-7, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_is_replaced_is_the_top_level_value_and_nothing_else(members, ascii_only, indent):
    value = {**members, "model": "a"}
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    new = replaced(raw, value, "model", "other")
    assert new is None or json.loads(new) == {**value, "model": "other"}


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (ODD, True),
        (b'{"tools":[{"properties":{"model":{"type":"string"}}}],"model":"a"}', True),
        (b'{"messages":[{"input":{"model":"haiku","n":1}}],"model":"a","n":2}', True),
        (b'{"messages":[{"content":"\\u0041 \\"model\\":\\"x\\""}],"model":"a"}', True),
        (b'{"model":"x","model":"a"}', False),
        (b'{"model" :\n"x","messages":[],"model":"a"}', False),
        (b'{"mod\\u0065l":"x","model":"a"}', False),
        (b'{"max_tokens":1,"model":"a","max_tokens":2}', False),
        (b'{"messages":[],"messages":[]}', False),
        (b'{"models":["dear"],"models":null}', False),
        (b'{"fallbacks":{"a":["b"]},"fallbacks":[]}', False),
        (b'{"preset":"dear","preset":null}', False),
        (b'{"best_of":9,"best_of":1}', False),
        (b'{"tools":[{"type":"openrouter:fusion"}],"tools":[]}', False),
        (b'{"service_tier":"priority","service_tier":"auto"}', False),
        (b'{"deployment_id":"dear","deployment_id":null}', False),
        (b'{"tools":[{"properties":{"tools":{"type":"string"}}}],"model":"a"}', True),
        (b'{"preset":"a","metadata":{"preset":"b"}}', True),
    ],
)
def test_a_text_is_plain_when_nothing_that_decides_stands_in_it_twice(raw, plain):
    assert is_plain(raw, loads(raw)) is plain
