"""A link is read in one way only, or refused."""

import pytest

from core.links import BrokenLink, read_link, redirected


@pytest.mark.parametrize(
    ("text", "host", "port", "target"),
    [
        ("https://example.com", "example.com", 443, "/"),
        ("HTTP://EXAMPLE.com:8080/a%20b.png?x=1&y=%2F#part", "example.com", 8080, "/a%20b.png?x=1&y=%2F"),
        ("https://bücher.example/ü?q=ü", "xn--bcher-kva.example", 443, "/%C3%BC?q=%C3%BC"),
        ("http://93.184.216.34/", "93.184.216.34", 80, "/"),
        ("http://[2606:4700:0:0::1111]:80/", "2606:4700::1111", 80, "/"),
        ("https://example.com./", "example.com", 443, "/"),
        ("https://a_b.example/", "a_b.example", 443, "/"),
    ],
)
def test_a_link_is_taken_apart(text: str, host: str, port: int, target: str) -> None:
    link = read_link(text)
    assert (link.host, link.port, link.target) == (host, port, target)
    assert read_link(link.url) == link


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com/x",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:image/png;base64,QUJD",
        "https://",
        "https:///x",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://public.example@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Injected: 1",
        "https://example.com/a\tb",
        "https://example.com/\x00",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[::127.0.0.1.example]/",
        "https://ex%61mple.com/",
        "https://-example.com/",
        "https://example..com/",
        "https://.example.com/",
        "https://" + "a" * 64 + ".com/",
        "https://" + "a." * 130 + "com/",
        "https://example.com/" + "a" * 5000,
        "https://<script>/",
    ],
)
def test_what_is_no_plain_link_is_refused(text: str) -> None:
    with pytest.raises(BrokenLink):
        read_link(text)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "1", "0", "127.0.0.1.1", "010.0.0.1"],
)
def test_an_address_that_is_not_written_as_usual_is_refused(host: str) -> None:
    with pytest.raises(BrokenLink, match="no host"):
        read_link(f"http://{host}/")


@pytest.mark.parametrize("host", ["①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1"])
def test_an_address_in_other_digits_is_that_address(host: str) -> None:
    assert read_link(f"http://{host}/").host == "127.0.0.1"


def test_a_redirect_is_read_as_strictly() -> None:
    link = read_link("https://example.com/a/b?c")
    assert redirected(link, "/x").url == "https://example.com/x"
    assert redirected(link, "d").url == "https://example.com/a/d"
    assert redirected(link, "//other.example/x").url == "https://other.example/x"
    for location in ("file:///etc/passwd", "http://0177.0.0.1/", "//user@other.example/", "http://[::1/", "a\nb"):
        with pytest.raises(BrokenLink):
            redirected(link, location)


def test_a_link_shows_no_secret_that_is_in_it() -> None:
    assert "s3cret" not in repr(read_link("https://example.com/x?signature=s3cret"))
