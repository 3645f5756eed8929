"""The OpenAI SDK against the platform."""

import openai
import pytest

QUESTION = [{"role": "user", "content": "Hello, world! How are you?"}]


def test_chat(platform, gpt):
    answer = gpt.chat.completions.create(model="chat", messages=QUESTION)
    assert answer.choices[0].message.content.startswith("This is the practice provider. You wrote: Hello, world!")
    assert answer.choices[0].finish_reason == "stop"
    call = platform.check_bill(
        answer._request_id, input=answer.usage.prompt_tokens, output=answer.usage.completion_tokens
    )
    assert (call["status"], call["endpoint"], call["stream"]) == ("completed", "/v1/chat/completions", False)
    assert (call["model"], call["usage_source"], call["http_status"]) == ("chat", "provider", 200)


@pytest.mark.parametrize("asked", [True, False])
def test_chat_stream(platform, gpt, asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    whole = gpt.chat.completions.create(model="chat", messages=QUESTION)
    response = gpt.chat.completions.with_raw_response.create(model="chat", messages=QUESTION, stream=True, **options)
    chunks = list(response.parse())
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    counts = [c.usage for c in chunks if c.usage]
    # Only who asked for the counts gets them; the bill is the same.
    assert [(c.prompt_tokens, c.completion_tokens) for c in counts] == (
        [(whole.usage.prompt_tokens, whole.usage.completion_tokens)] if asked else []
    )
    assert all(c.choices for c in chunks) != asked
    call = platform.check_bill(
        response.headers["x-request-id"], input=whole.usage.prompt_tokens, output=whole.usage.completion_tokens
    )
    assert (call["status"], call["stream"], call["usage_source"]) == ("completed", True, "provider")


def test_max_tokens(platform, gpt):
    answer = gpt.chat.completions.create(model="chat", messages=QUESTION, max_tokens=5)
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 5)
    platform.check_bill(answer._request_id, input=answer.usage.prompt_tokens, output=5)


def test_completions(platform, gpt):
    answer = gpt.completions.create(model="chat", prompt="Once upon a time")
    assert "Once upon a time" in answer.choices[0].text
    call = platform.check_bill(
        answer._request_id, input=answer.usage.prompt_tokens, output=answer.usage.completion_tokens
    )
    assert call["endpoint"] == "/v1/completions"
    streamed = gpt.completions.create(model="chat", prompt="Once upon a time", stream=True)
    assert "".join(c.choices[0].text for c in streamed if c.choices) == answer.choices[0].text


def test_embeddings(platform, gpt):
    answer = gpt.embeddings.create(model="embed", input=["one two three", "four"], dimensions=16)
    assert [len(item.embedding) for item in answer.data] == [16, 16]
    call = platform.check_bill(answer._request_id, input=4)
    assert (call["endpoint"], answer.usage.prompt_tokens) == ("/v1/embeddings", 4)


def test_models(gpt):
    models = {m.id: m for m in gpt.models.list()}
    assert {"chat", "embed", "claude"} <= set(models)
    assert gpt.models.retrieve("chat").owned_by == models["chat"].owned_by == "practice"
    with pytest.raises(openai.NotFoundError):
        gpt.models.retrieve("no-such-model")


def test_unknown_fields_pass(platform, gpt):
    answer = gpt.chat.completions.create(
        model="chat", messages=QUESTION, extra_body={"a_field_of_tomorrow": {"deep": [1, 2.50, "x"]}}
    )
    assert answer.choices[0].message.content


def test_wrong_key(platform):
    for key in ["sk-wrong", "sk-" + "A" * 46]:
        client = openai.OpenAI(base_url=platform.url + "/v1", api_key=key, max_retries=0)
        with pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model="chat", messages=QUESTION)
        assert key not in str(caught.value)


def test_unknown_model(gpt):
    with pytest.raises(openai.NotFoundError) as caught:
        gpt.chat.completions.create(model="secret-name-of-a-model", messages=QUESTION)
    assert caught.value.code == "model_not_found"
    assert "secret-name-of-a-model" not in str(caught.value)


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("practice-chat:status-400", openai.BadRequestError),
        # The provider limits the platform, not this caller: that is no 429 of ours.
        ("practice-chat:status-429", openai.InternalServerError),
        ("practice-chat:status-500", openai.APIStatusError),
        ("practice-chat:status-401", openai.APIStatusError),
        ("practice-chat:close", openai.APIStatusError),
    ],
)
def test_failures_of_the_provider_cost_nothing(platform, gpt, upstream, expected):
    with pytest.raises(expected) as caught:
        gpt.chat.completions.create(model=platform.model(upstream), messages=QUESTION)
    if expected is openai.APIStatusError:
        assert caught.value.status_code >= 500
    shown = platform.call(caught.value.request_id)
    assert (shown["call"]["status"], float(shown["call"]["amount"])) == ("failed", 0.0)
    assert len(shown["attempts"]) >= 1
    assert all(a["error_code"] for a in shown["attempts"])


@pytest.mark.parametrize("fault", ["cut", "reset", "error-event", "malformed-json"])
def test_a_broken_stream_never_ends_as_if_complete(platform, gpt, fault):
    model = platform.model(f"practice-chat:tokens-60+{fault}")
    response = gpt.chat.completions.with_raw_response.create(model=model, messages=QUESTION, stream=True)
    with pytest.raises((openai.APIError, ValueError)):
        for _ in response.parse():
            pass
    call = platform.call(response.headers["x-request-id"])["call"]
    assert (call["status"], call["usage_source"]) == ("interrupted", "estimate")
    assert float(call["amount"]) > 0


def test_counts_that_come_with_choices(platform, gpt):
    model = platform.model("practice-chat:usage-with-choices")
    response = gpt.chat.completions.with_raw_response.create(
        model=model, messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    counts = [c.usage for c in response.parse() if c.usage]
    platform.check_bill(
        response.headers["x-request-id"], input=counts[-1].prompt_tokens, output=counts[-1].completion_tokens
    )


def test_no_counts_are_estimated_and_marked(platform, gpt):
    model = platform.model("practice-chat:no-usage")
    answer = gpt.chat.completions.create(model=model, messages=QUESTION)
    call = platform.call(answer._request_id)["call"]
    assert call["usage_source"] == "estimate"
    assert call["usage"]["input"] > 0 and call["usage"]["output"] > 0


def test_a_drop_at_a_time(platform, gpt):
    model = platform.model("practice-chat:drip+tokens-30")
    response = gpt.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "Grüße, 世界 🙂"}], stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(response.parse())
    assert "世界" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    platform.check_bill(
        response.headers["x-request-id"],
        input=chunks[-1].usage.prompt_tokens, output=chunks[-1].usage.completion_tokens,
    )


def test_failover(platform, gpt):
    name = platform.model("practice-chat")
    platform.cli("channel", "add", "broken-first", "--provider", "practice-openai", "--priority=10",
                 "--model", f"{name}=practice-chat:status-503", "--secret-env", "PRACTICE_CREDENTIAL")
    attempts = 0
    for _ in range(40):
        answer = gpt.chat.completions.create(model=name, messages=QUESTION)
        shown = platform.call(answer._request_id)
        assert shown["call"]["status"] == "completed"
        attempts = len(shown["attempts"])
        if attempts == 2:
            break
    assert attempts == 2, "the channel of higher priority was never tried"
    assert [a["http_status"] for a in shown["attempts"]] == [503, 200]
    assert [a["outcome"] for a in shown["attempts"]] == ["failed", "answered"]
    assert all(a["credential"].startswith("cred_") for a in shown["attempts"])
    assert shown["attempts"][1]["credential"] == shown["call"]["credential"]
    platform.cli("channel", "disable", "broken-first")


def test_an_empty_wallet_is_refused_and_nothing_is_called(platform):
    platform.cli("account", "add", "poor", "--group", "standard")
    key = platform.cli("key", "create", "poor")["secret"]
    client = openai.OpenAI(base_url=platform.url + "/v1", api_key=key, max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="chat", messages=QUESTION)
    assert caught.value.code == "insufficient_quota"
    call = platform.call(caught.value.request_id)["call"]
    assert (call["status"], call["attempts"], float(call["amount"])) == ("refused", 0, 0.0)
