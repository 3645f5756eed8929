"""The Anthropic SDK against the platform."""

import anthropic
import pytest

QUESTION = [{"role": "user", "content": "Hello, world! How are you?"}]


def counted(usage):
    written = usage.cache_creation
    return {
        "input": usage.input_tokens,
        "cache_read": usage.cache_read_input_tokens or 0,
        "cache_write_5m": written.ephemeral_5m_input_tokens if written else usage.cache_creation_input_tokens or 0,
        "cache_write_1h": written.ephemeral_1h_input_tokens if written else 0,
        "output": usage.output_tokens,
    }


def test_messages(platform, claude):
    answer = claude.messages.create(model="claude", max_tokens=500, messages=QUESTION, system="Be kind.")
    assert "Hello, world!" in answer.content[0].text
    assert answer.stop_reason == "end_turn"
    call = platform.check_bill(answer._request_id, **counted(answer.usage))
    assert (call["status"], call["endpoint"]) == ("completed", "/v1/messages")


def test_messages_stream(platform, claude):
    with claude.messages.stream(model="claude", max_tokens=500, messages=QUESTION) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
        request_id = stream.response.headers["request-id"]
    assert text == final.content[0].text and "Hello, world!" in text
    call = platform.check_bill(request_id, **counted(final.usage))
    assert (call["status"], call["stream"]) == ("completed", True)


def test_max_tokens(platform, claude):
    answer = claude.messages.create(model="claude", max_tokens=5, messages=QUESTION)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 5)


@pytest.mark.parametrize(("ttl", "written"), [("5m", "cache_write_5m"), ("1h", "cache_write_1h")])
def test_cached_input_is_written_once_and_read_cheaply(platform, claude, request, ttl, written):
    text = f"A long beginning, of its own for {request.node.name}. " * 20
    system = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}]

    def ask():
        return claude.messages.create(model="claude", max_tokens=50, messages=QUESTION, system=system)

    first, second = ask(), ask()
    assert counted(first.usage)[written] == counted(second.usage)["cache_read"] > 100
    for answer in (first, second):
        platform.check_bill(answer._request_id, **counted(answer.usage))


def test_a_total_of_cache_writes_without_its_split(platform, claude):
    model = platform.model("practice-claude:split-cache-absent", "practice-anthropic")
    system = [{"type": "text", "text": "Never seen before. " * 30, "cache_control": {"type": "ephemeral"}}]
    answer = claude.messages.create(model=model, max_tokens=50, messages=QUESTION, system=system)
    assert answer.usage.cache_creation is None
    assert answer.usage.cache_creation_input_tokens > 100
    platform.check_bill(answer._request_id, **counted(answer.usage))


def test_key_in_either_header(platform):
    client = anthropic.Anthropic(base_url=platform.url, auth_token=platform.key, api_key=None, max_retries=0)
    assert client.messages.create(model="claude", max_tokens=9, messages=QUESTION).content


def test_beta_headers_and_unknown_fields_pass(claude):
    answer = claude.beta.messages.create(
        model="claude", max_tokens=20, messages=QUESTION, betas=["a-beta-of-tomorrow"], extra_body={"tomorrow": [1]}
    )
    assert answer.content


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("practice-claude:status-400", anthropic.BadRequestError),
        # The provider limits the platform, not this caller: that is no 429 of ours.
        ("practice-claude:status-429", anthropic.APIStatusError),
        ("practice-claude:status-529", anthropic.APIStatusError),
        ("practice-claude:close", anthropic.APIStatusError),
    ],
)
def test_failures_of_the_provider_cost_nothing(platform, claude, upstream, expected):
    model = platform.model(upstream, "practice-anthropic")
    with pytest.raises(expected) as caught:
        claude.messages.create(model=model, max_tokens=50, messages=QUESTION)
    assert caught.value.body["type"] == "error"
    call = platform.call(caught.value.request_id)["call"]
    assert (call["status"], float(call["amount"])) == ("failed", 0.0)


def test_refusals(platform, claude):
    with pytest.raises(anthropic.NotFoundError) as caught:
        claude.messages.create(model="no-such-model", max_tokens=50, messages=QUESTION)
    assert caught.value.body["error"]["type"] == "not_found_error"
    stranger = anthropic.Anthropic(base_url=platform.url, api_key="sk-wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model="claude", max_tokens=50, messages=QUESTION)


@pytest.mark.parametrize("fault", ["cut", "reset", "error-event", "malformed-json"])
def test_a_broken_stream_never_ends_as_if_complete(platform, claude, fault):
    model = platform.model(f"practice-claude:tokens-60+{fault}", "practice-anthropic")
    with pytest.raises((anthropic.APIError, ValueError)):
        with claude.messages.stream(model=model, max_tokens=500, messages=QUESTION) as stream:
            request_id = stream.response.headers["request-id"]
            for _ in stream:
                pass
    call = platform.call(request_id)["call"]
    assert call["status"] == "interrupted"
    assert float(call["amount"]) > 0
