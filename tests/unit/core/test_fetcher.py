"""What a client has linked is fetched from where it may be, and from nowhere else, over real sockets."""

import gzip
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.addresses import Reach
from core.cancel import Cancellation
from core.clock import SystemClock
from core.errors import UnusableLink
from core.fetcher import Bounds, Fetcher, system_resolver
from core.transport import Transport
from tests.unit.core.tls_server import TlsServer
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, End, Head, Hold, Raw, Send, whole

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 1000
HOST = "images.example"
HERE = "127.0.0.0/8"


class Resolver:
    """Knows some hosts, the addresses of each in turn, and who was asked for."""

    def __init__(self, **hosts: Sequence[Sequence[str]]) -> None:
        self._hosts = {HOST: [["127.0.0.1"]], **{name.replace("_", "."): list(some) for name, some in hosts.items()}}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._hosts.get(host, [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def site(server: Upstream) -> Upstream:
    server.reset()
    return server


def fetch(
    url: str,
    resolve: Resolver | None = None,
    networks: Sequence[str] = (HERE,),
    size: int = 100_000,
    seconds: float = 10.0,
    verify: bool | str = True,
) -> bytes:
    clock = SystemClock()
    transport = Transport(clock, connections=2, verify=verify)
    fetcher = Fetcher(transport, Reach(networks), clock, resolve or Resolver())
    try:
        return fetcher.fetch(url, "image/*", Bounds(size, clock.monotonic() + seconds), Cancellation())
    finally:
        transport.close()


def why_not(*arguments: object, **options: object) -> str:
    with pytest.raises(UnusableLink) as refused:
        fetch(*arguments, **options)  # type: ignore[arg-type] # passed on as they came
    return refused.value.message


def at(site: Upstream, path: str = "/a.png", host: str = HOST) -> str:
    return f"http://{host}:{site.port}{path}"


# What is fetched


def test_a_file_is_fetched_by_name_and_nothing_of_ours_goes_along(site: Upstream) -> None:
    site.script(whole(PNG))
    assert fetch(at(site, "/a.png?x=1")) == PNG
    (asked,) = site.requests
    assert (asked.method, asked.path) == ("GET", "/a.png?x=1")
    assert asked.headers["host"] == f"{HOST}:{site.port}"
    assert set(asked.headers) == {"host", "accept", "user-agent", "connection", "accept-encoding"}
    assert not asked.raw_body


def test_the_resolver_is_asked_once_and_what_it_says_later_does_not_count(site: Upstream) -> None:
    site.script(whole(PNG))
    resolver = Resolver(rebinding_example=[["127.0.0.1"], ["127.0.0.2"]])
    assert fetch(at(site, host="rebinding.example"), resolver, ["127.0.0.1/32"]) == PNG
    assert resolver.asked == ["rebinding.example"]


def test_a_redirect_is_followed_where_it_may_lead(site: Upstream) -> None:
    site.script([Head(302, {"Location": "/b.png"}, length=0)])
    site.script([Head(307, {"Location": at(site, "/c.png", "other.example")}, length=0)])
    site.script(whole(PNG))
    resolver = Resolver(other_example=[["127.0.0.1"]])
    assert fetch(at(site), resolver) == PNG
    assert [asked.path for asked in site.requests] == ["/a.png", "/b.png", "/c.png"]
    assert resolver.asked == [HOST, HOST, "other.example"]


def test_a_body_in_chunks_is_fetched(site: Upstream) -> None:
    site.script([Head(200, {"Content-Type": "image/png"}), Send(PNG[:10]), Send(PNG[10:]), End()])
    assert fetch(at(site)) == PNG


# Where to


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "fd00::1", "::1"])
@pytest.mark.parametrize("beside", [[], ["93.184.216.34"]], ids=["alone", "beside a public one"])
def test_a_name_that_leads_inside_is_not_connected_to(site: Upstream, address: str, beside: list[str]) -> None:
    before = site.accepted_connections
    resolver = Resolver(inside_example=[[*beside, address]])
    assert why_not(at(site, host="inside.example"), resolver, ()) == "it leads to no public address"
    assert site.accepted_connections == before


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"])
def test_an_address_inside_is_not_connected_to(site: Upstream, host: str) -> None:
    before, resolver = site.accepted_connections, Resolver()
    assert why_not(at(site, host=host), resolver, ()) == "it leads to no public address"
    assert (site.accepted_connections, resolver.asked) == (before, [])


def test_an_unknown_name_is_refused_in_the_same_words() -> None:
    assert why_not("http://nowhere.example/x", networks=()) == "it leads to no public address"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_no_other_spelling_of_an_address_gets_to_a_resolver(site: Upstream, host: str) -> None:
    resolver = Resolver()
    assert "no host" in why_not(at(site, host=host), resolver)
    assert not resolver.asked


@pytest.mark.parametrize("port", [22, 25, 6379, 9200, 8976])
def test_strangers_are_asked_at_the_ports_of_the_web_only(port: int) -> None:
    resolver = Resolver(public_example=[["93.184.216.34"]])
    assert "its port is none of 80, 443" in why_not(f"http://public.example:{port}/", resolver, ())


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/inside",
        "http://localhost:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "//[::1]:{port}/",
    ],
)
def test_a_redirect_that_leads_inside_is_not_followed(site: Upstream, location: str) -> None:
    site.script([Head(302, {"Location": location.format(port=site.port)}, length=0)])
    resolver = Resolver(localhost=[["::1"]])
    assert why_not(at(site), resolver, ["127.0.0.1/32"]) == "it leads to no public address"
    assert len(site.requests) == 1


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://images.example/", "http://u:p@images.example/"])
def test_a_redirect_to_something_else_is_refused(site: Upstream, location: str) -> None:
    site.script([Head(301, {"Location": location}, length=0)])
    assert why_not(at(site)).startswith("it ")
    assert len(site.requests) == 1


def test_a_circle_of_redirects_comes_to_an_end(site: Upstream) -> None:
    site.script([Head(302, {"Location": "/again"}, length=0)], times=None)
    assert why_not(at(site)) == "it is redirected too often"
    assert len(site.requests) == 4


# How much, how long, what


@pytest.mark.parametrize("announced", [True, False])
def test_what_is_too_long_is_not_read_to_its_end(site: Upstream, announced: bool) -> None:
    if announced:
        site.script([Head(200, length=50_000_000), Send(PNG), Hold()])
    else:
        site.script([Head(200), *[Send(PNG)] * 3, Hold()])
    assert "longer than the 10000 bytes" in why_not(at(site), size=10_000)
    assert site.wait_closed()


def test_what_fits_exactly_is_fetched(site: Upstream) -> None:
    site.script(whole(PNG))
    assert fetch(at(site), size=len(PNG)) == PNG


@pytest.mark.parametrize("steps", [[Hold()], [Head(200, length=len(PNG)), Send(PNG[:100]), Hold()]])
def test_a_server_that_dawdles_is_not_waited_for(site: Upstream, steps: list[object]) -> None:
    site.script(steps)  # type: ignore[arg-type] # a list of steps
    assert why_not(at(site), seconds=0.3) == "it took too long"
    assert site.wait_closed()


def test_half_a_file_is_none(site: Upstream) -> None:
    site.script([Head(200, length=len(PNG)), Send(PNG[:100]), Drop()])
    assert why_not(at(site)) == "its server cannot be reached, or breaks off"


def test_nobody_there_is_no_file() -> None:
    with Upstream() as gone:
        url = at(gone)
    assert why_not(url) == "its server cannot be reached, or breaks off"


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500])
def test_anything_but_success_is_no_file(site: Upstream, status: int) -> None:
    site.script([Head(status, {}, length=0)])
    assert why_not(at(site)) == f"its server answered HTTP {status}"


def test_what_is_packed_is_not_unpacked(site: Upstream) -> None:
    packed = gzip.compress(bytes(10_000_000))
    site.script([Head(200, {"Content-Encoding": "gzip"}, length=len(packed)), Send(packed)])
    assert why_not(at(site)) == "its server sent it packed"


# TLS


def certificate(directory: Path, name: str) -> Path:
    """A key and its own certificate for a host of that name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, pem = directory / f"{name}.pem", serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(pem, *plain) + signed.public_bytes(pem))
    return file


def test_over_tls_the_certificate_must_be_that_of_the_name_and_the_name_is_told(tmp_path: Path) -> None:
    file = certificate(tmp_path, HOST)
    with TlsServer(file, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\npng") as server:
        resolver = Resolver(other_example=[["127.0.0.1"]])
        assert fetch(f"https://{HOST}:{server.port}/", resolver, verify=str(file)) == b"png"
        assert server.names == [HOST]
        reached = "its server cannot be reached, or breaks off"
        assert why_not(f"https://other.example:{server.port}/", resolver, verify=str(file)) == reached
        assert why_not(f"https://{HOST}:{server.port}/", resolver) == reached, "nobody vouches for it"


# The machine's own resolver


def test_the_machines_resolver_knows_itself_and_not_everybody() -> None:
    assert set(system_resolver("localhost", 80)) & {"127.0.0.1", "::1"}
    assert system_resolver("no-such-host.invalid", 80) == ()
    assert system_resolver("a" * 70, 80) == ()


def test_by_the_machines_resolver_localhost_is_refused(site: Upstream) -> None:
    clock = SystemClock()
    fetcher = Fetcher(Transport(clock), Reach(), clock)
    with pytest.raises(UnusableLink, match="no public address"):
        fetcher.fetch(at(site, host="localhost"), "*/*", Bounds(1000, clock.monotonic() + 5), Cancellation())
    assert not site.requests


def test_a_server_that_never_comes_to_its_answer_is_not_listened_to(site: Upstream) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    site.script([Raw(interim * 3_000), *whole(PNG)])
    assert why_not(at(site)) == "its server cannot be reached, or breaks off"
    site.script([Raw(interim * 3), *whole(PNG)])
    assert fetch(at(site)) == PNG
