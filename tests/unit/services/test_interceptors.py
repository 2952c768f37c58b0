"""Those who see every finished answer and change nothing."""

from collections.abc import Iterator

from structlog.testing import capture_logs

from core.metrics import Metrics
from schemas.outcome import Attempt, Outcome
from schemas.stream import ChatChunk, Finished, ReasoningDelta, TextDelta
from schemas.usage import Usage
from services.interceptors import Interceptor, MetricsInterceptor, ResponseLogInterceptor
from services.telemetry import Telemetry
from tests.unit.services.chat_kit import chat_request

CHUNKS: tuple[ChatChunk, ...] = (ReasoningDelta("Hm. "), TextDelta("Hel"), TextDelta("lo"), Finished("stop"))


def outcome(**fields: object) -> Outcome:
    attempts = [Attempt("glm", "glm-4.6", "id", 1.0, "upstream_timeout"), Attempt("glm", "glm-4.6", "id", 2.0)]
    done = Outcome("GLM-4.6", stream=True, provider="glm", upstream_model="glm-4.6", attempts=attempts)
    done.time_to_first_token, done.upstream_seconds, done.seconds = 0.3, 3.0, 3.002
    done.usage, done.cost = Usage(uncached=5, read=3, output=7, reasoning=2), 0.25
    for name, value in fields.items():
        setattr(done, name, value)
    return done


def scraped(done: Outcome) -> str:
    metrics = Metrics()
    MetricsInterceptor(Telemetry(metrics, ["glm-4.6"])).finished(chat_request(), done, "req-1")
    return metrics.render().decode()


def test_an_interceptor_does_nothing_by_default() -> None:
    chunks = iter(CHUNKS)
    assert Interceptor().watch(chat_request(), chunks, outcome(), "req-1") is chunks
    Interceptor().finished(chat_request(), outcome(), "req-1")


def test_attempts_tokens_money_and_times_are_counted() -> None:
    text = scraped(outcome())
    for line in (
        'glm_upstream_requests_total{model="glm-4.6",outcome="upstream_timeout",provider="glm"} 1.0',
        'glm_upstream_requests_total{model="glm-4.6",outcome="success",provider="glm"} 1.0',
        'glm_tokens_total{kind="input",model="glm-4.6",provider="glm"} 5.0',
        'glm_tokens_total{kind="cached",model="glm-4.6",provider="glm"} 3.0',
        'glm_tokens_total{kind="output",model="glm-4.6",provider="glm"} 7.0',
        'glm_tokens_total{kind="reasoning",model="glm-4.6",provider="glm"} 2.0',
        'glm_cost_usd_total{model="glm-4.6",provider="glm"} 0.25',
        "glm_token_usage_cost_usd_sum 0.25",
        "glm_time_to_first_token_seconds_sum 0.3",
        'glm_gateway_overhead_seconds_bucket{le="0.005"} 1.0',
        'glm_gateway_overhead_seconds_bucket{le="0.001"} 0.0',
    ):
        assert line in text, line


def test_an_unknown_price_is_counted_as_unknown_and_not_as_free() -> None:
    text = scraped(outcome(cost=None))
    assert 'glm_unpriced_answers_total{model="glm-4.6",provider="glm"} 1.0' in text
    assert "glm_cost_usd_total{" not in text
    assert "glm_token_usage_cost_usd_count 0.0" in text


def test_a_request_that_never_got_an_answer_has_no_first_token() -> None:
    text = scraped(outcome(time_to_first_token=None, usage=None, cost=None))
    assert "glm_time_to_first_token_seconds_count 0.0" in text
    assert "glm_tokens_total{" not in text


def test_prompts_and_answers_are_not_logged_unless_asked_for() -> None:
    chunks = iter(CHUNKS)
    assert ResponseLogInterceptor(prompts=False).watch(chat_request(), chunks, outcome(), "req-1") is chunks


def test_prompts_and_answers_are_logged_whole_when_asked_for() -> None:
    with capture_logs() as logs:
        passed = list(ResponseLogInterceptor(prompts=True).watch(chat_request(), iter(CHUNKS), outcome(), "req-1"))
    assert passed == list(CHUNKS)
    (log,) = logs
    assert (log["event"], log["request_id"], log["answered"]) == ("chat", "req-1", "Hm. Hello")
    assert log["asked"] == [{"role": "user", "text": "Hi"}]


def test_what_was_said_before_a_client_left_is_logged() -> None:
    with capture_logs() as logs:
        watched: Iterator[ChatChunk] = ResponseLogInterceptor(prompts=True).watch(
            chat_request(), iter(CHUNKS), outcome(), "req-1"
        )
        next(watched)
        next(watched)
        watched.close()  # type: ignore[attr-defined] # a generator
    assert logs[0]["answered"] == "Hm. Hel"
