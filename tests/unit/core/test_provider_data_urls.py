"""What the reading of `data:` URLs promises."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.data_urls import InlineData, read_data_url


@pytest.mark.parametrize(
    ("url", "inline"),
    [
        ("data:image/png;base64,QUJD", InlineData("image/png", "QUJD")),
        ("DATA:Image/PNG;name=a;Base64,QUJD", InlineData("image/png", "QUJD")),
        ("data:;base64,QUJD", InlineData("", "QUJD")),
        ("data:,A%42C", InlineData("", "QUJD")),
        ("data:text/plain,a,b", InlineData("text/plain", "YSxi")),
        ("data:image/png;base64,QUI%3D", InlineData("image/png", "QUI=")),
        ("data:image/png;base64,", InlineData("image/png", "")),
        ("data:image/png;base64", None),
        ("https://host/a,b", None),
        ("", None),
    ],
)
def test_a_data_url_is_its_type_and_its_base64(url, inline):
    assert read_data_url(url) == inline


@given(st.text(max_size=60))
def test_anything_else_is_none(text):
    assert text.strip().lower().startswith("data:") or read_data_url(text) is None


@given(st.text(max_size=60))
def test_text_that_is_not_base64_becomes_it(text):
    inline = read_data_url(f"data:text/plain,{text}")
    assert inline is not None
    assert b64decode(inline.data, validate=True) is not None
