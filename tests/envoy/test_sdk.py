"""The official SDKs against the gateway, each served by each provider."""

import base64
import json

import anthropic
import harness
import openai
import pydantic
import pytest
from standin import Standin

SERVED = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"}
REASONS = {"openai": "o3", "anthropic": "claude-sonnet-4-5"}
PIXEL = base64.b64encode(
    bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000" "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082")
).decode()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
OPENAI_TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather in a city", "parameters": SCHEMA}}
ANTHROPIC_TOOL = {"name": "weather", "description": "The weather in a city", "input_schema": SCHEMA}


@pytest.fixture(scope="module")
def envoy():
    targets = [("openai", "gpt-*"), ("openai", "o3*"), ("anthropic", "claude-*")]
    document = harness.both(models=[{"name": name, "targets": [{"provider": provider}]} for provider, name in targets], cooldown="1ms")
    with Standin() as standin, harness.serving(document, standin.ports) as envoy:
        yield envoy


@pytest.fixture(params=SERVED)
def provider(request):
    return request.param


@pytest.fixture
def model(provider):
    return SERVED[provider]


@pytest.fixture
def client(envoy):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{envoy.port}/v1", api_key="client-key", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def claude(envoy):
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{envoy.port}", api_key="client-key", max_retries=0, timeout=20) as client:
        yield client


def user(content) -> list[dict]:
    return [{"role": "user", "content": content}]


class TestOpenAI:
    def test_text(self, client, model, provider):
        raw = client.chat.completions.with_raw_response.create(model=model, messages=user("What is up?"), max_tokens=200)
        assert raw.headers["x-sluice-provider"] == provider
        answer = raw.parse()
        assert "What is up?" in answer.choices[0].message.content
        assert answer.choices[0].finish_reason == "stop" and answer.object == "chat.completion"
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0

    def test_stream(self, client, model):
        chunks = list(client.chat.completions.create(model=model, messages=user("What is up?"), max_tokens=200, stream=True))
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert "What is up?" in text
        assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
        assert len({c.id for c in chunks}) == 1 and not any(c.usage for c in chunks)

    def test_usage_of_a_stream_only_when_asked(self, client, model):
        stream = client.chat.completions.create(model=model, messages=user("hi"), max_tokens=99, stream=True, stream_options={"include_usage": True})
        usages = [c.usage for c in stream if c.usage]
        assert len(usages) == 1 and usages[0].total_tokens > 0

    def test_the_streaming_helper(self, client, model):
        with client.chat.completions.stream(model=model, messages=user("What is up?"), max_tokens=200) as stream:
            for _ in stream:
                pass
            assert "What is up?" in stream.get_final_completion().choices[0].message.content

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_tools_round_trip(self, client, model, stream):
        messages = user("use weather please")
        ask = {"model": model, "tools": [OPENAI_TOOL], "max_tokens": 200}
        if stream:
            with client.chat.completions.stream(messages=messages, **ask) as events:
                answer = events.get_final_completion()
        else:
            answer = client.chat.completions.create(messages=messages, **ask)
        choice = answer.choices[0]
        assert choice.finish_reason == "tool_calls"
        call = choice.message.tool_calls[0]
        assert call.function.name == "weather" and "city" in json.loads(call.function.arguments)
        messages.append({"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": call.function.model_dump(include={"name", "arguments"})}]})
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "It is sunny."})
        answer = client.chat.completions.create(messages=messages, **ask)
        assert "It is sunny." in answer.choices[0].message.content

    def test_parallel_tools(self, client, model):
        answer = client.chat.completions.create(model=model, messages=user("parallel weather"), tools=[OPENAI_TOOL], max_tokens=300)
        calls = answer.choices[0].message.tool_calls
        assert len(calls) == 2 and len({call.id for call in calls}) == 2
        one = client.chat.completions.create(model=model, messages=user("parallel weather"), tools=[OPENAI_TOOL], max_tokens=300, parallel_tool_calls=False)
        assert len(one.choices[0].message.tool_calls) == 1

    def test_a_forced_tool(self, client, model):
        choice = {"type": "function", "function": {"name": "weather"}}
        answer = client.chat.completions.create(model=model, messages=user("hi"), tools=[OPENAI_TOOL], tool_choice=choice, max_tokens=200)
        assert answer.choices[0].message.tool_calls[0].function.name == "weather"

    def test_an_image(self, client, model):
        for url in (f"data:image/png;base64,{PIXEL}", "https://images.test/x.png"):
            parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
            answer = client.chat.completions.create(model=model, messages=user(parts), max_tokens=99)
            assert "What is this?" in answer.choices[0].message.content

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_structured_output(self, client, model, stream):
        class City(pydantic.BaseModel):
            name: str
            people: int

        ask = {"model": model, "messages": user("A city."), "max_tokens": 300, "response_format": City}
        if stream:
            with client.chat.completions.stream(**ask) as events:
                answer = events.get_final_completion()
        else:
            answer = client.chat.completions.parse(**ask)
        assert isinstance(answer.choices[0].message.parsed, City), answer

    def test_reasoning(self, client, provider):
        answer = client.chat.completions.create(model=REASONS[provider], messages=user("Think."), reasoning_effort="low", max_completion_tokens=4000)
        assert answer.choices[0].message.content
        assert answer.usage.completion_tokens > 0

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(401, openai.AuthenticationError), (403, openai.PermissionDeniedError), (429, openai.RateLimitError), (500, openai.InternalServerError), (400, openai.BadRequestError)],
    )
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_errors(self, client, model, status, kind, stream):
        with pytest.raises(kind) as caught:
            client.chat.completions.create(model=f"{model}+status={status}", messages=user("hi"), max_tokens=9, stream=stream)
        assert caught.value.status_code == status and caught.value.type

    def test_an_error_in_the_stream(self, client, model):
        with pytest.raises(openai.APIError):
            list(client.chat.completions.create(model=f"{model}+error_event=3", messages=user("hello there"), max_tokens=99, stream=True))

    def test_an_unknown_model(self, client):
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="nonesuch", messages=user("hi"))
        assert caught.value.code == "model_not_found"

    def test_models(self, client):
        assert client.models.retrieve("gpt-4o").id == "gpt-4o"


class TestAnthropic:
    def test_text(self, claude, model, provider):
        raw = claude.messages.with_raw_response.create(model=model, messages=user("What is up?"), max_tokens=200)
        assert raw.headers["x-sluice-provider"] == provider
        answer = raw.parse()
        assert answer.content[0].type == "text" and "What is up?" in answer.content[0].text
        assert answer.stop_reason == "end_turn"
        assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0

    def test_a_system_prompt_in_blocks(self, claude, model):
        system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
        answer = claude.messages.create(model=model, system=system, messages=user("What is up?"), max_tokens=200)
        assert "What is up?" in answer.content[0].text

    def test_stream(self, claude, model):
        with claude.messages.stream(model=model, messages=user("What is up?"), max_tokens=200) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_message()
        assert "What is up?" in final.content[0].text
        assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0
        assert (kinds[0], kinds[-1], kinds.count("message_stop")) == ("message_start", "message_stop", 1)

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_tools_round_trip(self, claude, model, stream):
        messages = user("use weather please")
        ask = {"model": model, "tools": [ANTHROPIC_TOOL], "max_tokens": 200}
        if stream:
            with claude.messages.stream(messages=messages, **ask) as events:
                answer = events.get_final_message()
        else:
            answer = claude.messages.create(messages=messages, **ask)
        assert answer.stop_reason == "tool_use"
        call = next(block for block in answer.content if block.type == "tool_use")
        assert call.name == "weather" and "city" in call.input
        messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "It is sunny."}]}
        messages.append({"role": "user", "content": [result]})
        answer = claude.messages.create(messages=messages, **ask)
        assert "It is sunny." in answer.content[0].text

    def test_parallel_tools(self, claude, model):
        answer = claude.messages.create(model=model, messages=user("parallel weather"), tools=[ANTHROPIC_TOOL], max_tokens=300)
        calls = [block for block in answer.content if block.type == "tool_use"]
        assert len(calls) == 2 and len({call.id for call in calls}) == 2

    def test_a_forced_tool(self, claude, model):
        answer = claude.messages.create(
            model=model, messages=user("hi"), tools=[ANTHROPIC_TOOL], tool_choice={"type": "tool", "name": "weather"}, max_tokens=200
        )
        assert [block.name for block in answer.content if block.type == "tool_use"][0] == "weather"

    def test_an_image(self, claude, model):
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
        parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
        answer = claude.messages.create(model=model, messages=user(parts), max_tokens=99)
        assert "What is this?" in answer.content[0].text

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_thinking(self, claude, provider, stream):
        ask = {"model": REASONS[provider], "messages": user("Think."), "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
        if stream:
            with claude.messages.stream(**ask) as events:
                answer = events.get_final_message()
        else:
            answer = claude.messages.create(**ask)
        assert answer.content[-1].type == "text" and answer.content[-1].text
        if provider == "anthropic":
            assert answer.content[0].type == "thinking" and answer.content[0].signature

    @pytest.mark.parametrize(
        ("status", "kind", "name"),
        [
            (400, anthropic.BadRequestError, "invalid_request_error"),
            (401, anthropic.AuthenticationError, "authentication_error"),
            (403, anthropic.PermissionDeniedError, "permission_error"),
            (429, anthropic.RateLimitError, "rate_limit_error"),
            (500, anthropic.InternalServerError, "api_error"),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_errors(self, claude, model, status, kind, name, stream):
        with pytest.raises(kind) as caught:
            claude.messages.create(model=f"{model}+status={status}", messages=user("hi"), max_tokens=9, stream=stream)
        assert caught.value.status_code == status
        assert caught.value.body["error"]["type"] == name

    def test_an_error_in_the_stream(self, claude, model):
        with pytest.raises(anthropic.APIError):
            list(claude.messages.create(model=f"{model}+error_event=3", messages=user("hello there"), max_tokens=99, stream=True))

    def test_an_unknown_model(self, claude):
        with pytest.raises(anthropic.NotFoundError) as caught:
            claude.messages.create(model="nonesuch", messages=user("hi"), max_tokens=9)
        assert caught.value.body["error"]["type"] == "not_found_error"

    def test_models(self, claude):
        assert claude.models.retrieve("claude-sonnet-4-5").id == "claude-sonnet-4-5"
