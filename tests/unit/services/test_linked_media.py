"""What a client has linked is shown as data to a provider that wants it so, and to no other."""

from base64 import b64encode
from dataclasses import replace

import pytest

from config.settings import LinkSettings
from core.errors import GatewayError, UnusableLink, UpstreamServerError
from schemas.chat import ChatRequest, DocumentPart, ImagePart, Message, Part, TextPart
from services.fetched import KEPT_SECONDS, Fetched
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import ANSWER, FakeProvider, Script, Stage

PNG, JPEG, PDF = b"\x89PNG\r\n\x1a\nx", b"\xff\xd8\xffx", b"\n%PDF-1.7 x"
CAT, DOG, PAPER = "https://example.com/cat.png", "http://example.com/dog?key=s3cret", "https://example.com/paper.pdf"
INLINE = "data:image/png;base64,QUJD"


class Blind(FakeProvider):
    """Wants data, and keeps what it was asked to build."""

    def inlines(self, request, target, part):
        return True

    def build(self, request, target, credential, request_id):
        self.asked: ChatRequest = request
        return super().build(request, target, credential, request_id)


class Seeing(Blind):
    """Takes links."""

    def inlines(self, request, target, part):
        return False


def stage(*parts: Part, scripts: int = 1, first: type[Blind] = Blind, links: LinkSettings | None = None) -> Stage:
    """A question with these parts, for a provider of the kind `first`, and then for one that takes links."""
    made = Stage(*[Script()] * scripts, links=links)
    made.fetcher.files = {CAT: PNG, DOG: JPEG, PAPER: PDF}
    for name, kind in (("one", first), ("two", Seeing)):
        provider = kind(name, made.transport)
        made.sites[name] = replace(made.sites[name], provider=provider)
    message = Message("user", (TextPart("look"), *parts))
    made.run.request = replace(made.run.request, messages=(message,))
    return made


def shown(made: Stage, name: str = "one") -> list[Part]:
    """The parts that a provider was shown."""
    provider = made.sites[name].provider
    assert isinstance(provider, Blind)
    return [part for message in provider.asked.messages for part in message.parts[1:]]


def data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def refusal(made: Stage, targets: int = 1) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        list(made.chunks(targets))
    return raised.value


def test_links_are_shown_as_data_each_fetched_once() -> None:
    made = stage(
        ImagePart(CAT, "high"), ImagePart(DOG), ImagePart(CAT), ImagePart(INLINE), DocumentPart(PAPER, name="p")
    )
    assert tuple(made.chunks()) == ANSWER
    assert shown(made) == [
        ImagePart(data("image/png", PNG), "high"),
        ImagePart(data("image/jpeg", JPEG)),
        ImagePart(data("image/png", PNG)),
        ImagePart(INLINE),
        DocumentPart(data("application/pdf", PDF), name="p"),
    ]
    assert made.fetcher.asked == [CAT, DOG, PAPER]
    assert made.run.request.messages[0].parts[1] == ImagePart(CAT, "high"), "the request itself stays as it was"


def test_the_time_of_fetching_is_not_the_gateways_own() -> None:
    made = stage(ImagePart(CAT))
    fetch = made.fetcher.fetch

    def slowly(*arguments):
        made.clock.advance(3)
        return fetch(*arguments)

    made.fetcher.fetch = slowly
    list(made.chunks())
    assert made.run.outcome.fetch_seconds == made.run.outcome.waited_seconds == 3


def test_a_provider_that_takes_links_gets_them_and_nothing_is_fetched() -> None:
    made = stage(ImagePart(CAT), first=Seeing)
    list(made.chunks())
    assert shown(made) == [ImagePart(CAT)]
    assert not made.fetcher.asked


def test_what_was_fetched_for_one_provider_is_not_shown_to_the_next() -> None:
    made = stage(ImagePart(CAT), scripts=3)
    made.transport.scripts[:2] = [Script([UpstreamServerError("no")])] * 2
    list(made.chunks())
    assert shown(made, "one") == [ImagePart(data("image/png", PNG))]
    assert shown(made, "two") == [ImagePart(CAT)]
    assert made.fetcher.asked == [CAT], "once for all tries"


def test_without_fetching_links_go_as_they_are() -> None:
    made = stage(ImagePart(CAT), links=LinkSettings(fetch=False))
    list(made.chunks())
    assert shown(made) == [ImagePart(CAT)]
    assert not made.fetcher.asked


@pytest.mark.parametrize(("part", "name"), [(ImagePart(DOG), "image"), (DocumentPart(DOG), "document")])
def test_a_link_that_cannot_be_fetched_is_named_by_its_place_and_not_repeated(part: Part, name: str) -> None:
    made = stage(TextPart("x"), part)
    made.fetcher.files[DOG] = UnusableLink("its server answered HTTP 404")
    error = refusal(made)
    assert (error.status, error.code, error.param) == (400, "unusable_link", "messages[0].content[2]")
    assert name in error.message
    assert "its server answered HTTP 404" in error.message
    assert "s3cret" not in error.message + str(made.run.outcome.passed_over)
    assert (made.tries, made.pool.leases) == ([], []), "nobody was asked"


def test_a_provider_that_takes_links_is_asked_where_one_cannot_be_fetched() -> None:
    made = stage(ImagePart(CAT))
    made.fetcher.files[CAT] = UnusableLink("it took too long")
    assert tuple(made.chunks()) == ANSWER
    assert shown(made, "two") == [ImagePart(CAT)]
    assert [passed.provider for passed in made.run.outcome.passed_over] == ["one"]


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (ImagePart(CAT), b"<html>the inside of something</html>"),
        (ImagePart(CAT), b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        (ImagePart(CAT), b""),
        (ImagePart(CAT), PDF),
        (DocumentPart(CAT), PNG),
        (DocumentPart(CAT), b"plain text"),
    ],
)
def test_what_is_not_what_it_is_called_is_not_passed_on(part: Part, content: bytes) -> None:
    made = stage(part)
    made.fetcher.files[CAT] = content
    error = refusal(made)
    assert "what is there is not a" in error.message
    assert "inside" not in error.message


def test_there_are_only_so_many_links_in_a_request() -> None:
    made = stage(*(ImagePart(f"{CAT}?{number}") for number in range(4)), links=LinkSettings(max_links=3))
    assert "3 links" in refusal(made).message
    assert not made.fetcher.asked


def test_a_failure_of_the_fetchers_own_is_an_error_like_any_other() -> None:
    made = stage(ImagePart(CAT))
    made.fetcher.files[CAT] = UpstreamServerError("unexpected")
    assert refusal(made).code == "unusable_link"


def test_the_next_turn_fetches_nothing_again_for_a_while_and_another_caller_does() -> None:
    clock = FakeClock()
    kept = Fetched(100, clock)
    kept.keep("ann", CAT, "a" * 60)
    assert kept.find("ann", CAT) == "a" * 60
    assert kept.find("bob", CAT) is None
    clock.advance(KEPT_SECONDS)
    assert kept.find("ann", CAT) is None


def test_only_so_much_is_kept_and_what_was_used_last_stays() -> None:
    kept = Fetched(100, FakeClock())
    kept.keep("ann", CAT, "a" * 40)
    kept.keep("ann", DOG, "b" * 40)
    assert kept.find("ann", CAT)
    kept.keep("ann", PAPER, "c" * 40)
    kept.keep("ann", "huge", "d" * 101)
    assert [kept.find("ann", url) is not None for url in (CAT, DOG, PAPER, "huge")] == [True, False, True, False]


def test_a_turn_is_answered_from_what_is_kept() -> None:
    made = stage(ImagePart(CAT), scripts=2)
    list(made.chunks())
    made.run.fetched.clear()
    made.run.committed, made.run.lease = False, None
    list(made.chunks())
    assert made.fetcher.asked == [CAT]
