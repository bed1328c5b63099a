"""Official SDKs of the other dialects against the gateway, each served by providers of other APIs."""

import json

import boto3
import botocore.config
import botocore.exceptions
import cohere
import harness
import mistralai.client
import ollama
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from standin import Standin

SERVED = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "The weather in a city", "parameters": SCHEMA}


@pytest.fixture(scope="module")
def envoy():
    targets = [("openai", "gpt-*"), ("anthropic", "claude-*")]
    document = harness.both(models=[{"name": name, "targets": [{"provider": provider}]} for provider, name in targets], cooldown="1ms")
    # The stand-in for OpenAI speaks no Responses: they are translated for it too.
    document["providers"]["openai"]["apis"] = ["openai"]
    with Standin() as standin, harness.serving(document, standin.ports) as envoy:
        yield envoy


@pytest.fixture(params=SERVED)
def model(request):
    return SERVED[request.param]


class TestResponses:
    @pytest.fixture
    def client(self, envoy):
        with openai.OpenAI(base_url=f"http://127.0.0.1:{envoy.port}/v1", api_key="client-key", max_retries=0, timeout=20) as client:
            yield client

    def test_text(self, client, model):
        answer = client.responses.create(model=model, input="What is up?", instructions="Be brief.", max_output_tokens=200)
        assert "What is up?" in answer.output_text and answer.status == "completed"
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0

    def test_stream(self, client, model):
        events = list(client.responses.create(model=model, input="What is up?", max_output_tokens=200, stream=True))
        assert [e.sequence_number for e in events] == list(range(len(events)))
        assert events[0].type == "response.created" and events[-1].type == "response.completed"
        assert "What is up?" in "".join(e.delta for e in events if e.type == "response.output_text.delta")
        assert "What is up?" in events[-1].response.output_text

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_tools_round_trip(self, client, model, stream):
        ask = {"model": model, "tools": [{"type": "function", "strict": False, **FUNCTION}], "max_output_tokens": 200}
        items = [{"role": "user", "content": "use weather please"}]
        if stream:
            with client.responses.stream(input=items, **ask) as events:
                answer = events.get_final_response()
        else:
            answer = client.responses.create(input=items, **ask)
        call = next(item for item in answer.output if item.type == "function_call")
        assert call.name == "weather" and "city" in json.loads(call.arguments)
        items += [{"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}]
        items += [{"type": "function_call_output", "call_id": call.call_id, "output": "It is sunny."}]
        assert "It is sunny." in client.responses.create(input=items, **ask).output_text

    def test_an_error(self, client):
        with pytest.raises(openai.NotFoundError) as error:
            client.responses.create(model="nonesuch", input="hi")
        assert error.value.code == "model_not_found"


class TestGemini:
    @pytest.fixture
    def client(self, envoy):
        options = types.HttpOptions(base_url=f"http://127.0.0.1:{envoy.port}", timeout=20_000)
        return genai.Client(api_key="client-key", http_options=options, vertexai=False)

    def test_text(self, client, model):
        config = types.GenerateContentConfig(max_output_tokens=200, system_instruction="Be brief.", temperature=0.5)
        answer = client.models.generate_content(model=model, contents="What is up?", config=config)
        assert "What is up?" in answer.text and answer.candidates[0].finish_reason == types.FinishReason.STOP
        assert answer.usage_metadata.prompt_token_count > 0 and answer.usage_metadata.candidates_token_count > 0

    def test_stream(self, client, model):
        chunks = list(client.models.generate_content_stream(model=model, contents="What is up?"))
        assert "What is up?" in "".join(chunk.text or "" for chunk in chunks)
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_tools_round_trip(self, client, model, stream):
        tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="weather", description="The weather in a city", parameters_json_schema=SCHEMA)])
        off = types.AutomaticFunctionCallingConfig(disable=True)
        config = types.GenerateContentConfig(tools=[tool], max_output_tokens=200, automatic_function_calling=off)
        contents = [types.Content(role="user", parts=[types.Part(text="use weather please")])]
        if stream:
            parts = [p for c in client.models.generate_content_stream(model=model, contents=contents, config=config) for p in c.candidates[0].content.parts or []]
        else:
            parts = client.models.generate_content(model=model, contents=contents, config=config).candidates[0].content.parts
        call = next(part for part in parts if part.function_call)
        assert call.function_call.name == "weather" and "city" in call.function_call.args
        contents.append(types.Content(role="model", parts=[call]))
        contents.append(types.Content(role="user", parts=[types.Part.from_function_response(name="weather", response={"result": "It is sunny."})]))
        assert "It is sunny." in client.models.generate_content(model=model, contents=contents, config=config).text

    def test_an_error(self, client):
        with pytest.raises(genai_errors.ClientError) as error:
            client.models.generate_content(model="nonesuch", contents="hi")
        assert error.value.code == 404 and error.value.status == "NOT_FOUND"


class TestBedrock:
    @pytest.fixture
    def client(self, envoy):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20)
        return boto3.client(
            "bedrock-runtime",
            endpoint_url=f"http://127.0.0.1:{envoy.port}",
            region_name="us-east-1",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
            config=config,
        )

    ASK = {"messages": [{"role": "user", "content": [{"text": "What is up?"}]}], "inferenceConfig": {"maxTokens": 200}}

    def test_text(self, client, model):
        answer = client.converse(modelId=model, system=[{"text": "Be brief."}], **self.ASK)
        assert "What is up?" in answer["output"]["message"]["content"][0]["text"] and answer["stopReason"] == "end_turn"
        assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"] > 0

    def test_stream(self, client, model):
        events = list(client.converse_stream(modelId=model, **self.ASK)["stream"])
        assert "messageStart" in events[0]
        assert "What is up?" in "".join(e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e)
        assert next(e for e in events if "messageStop" in e)["messageStop"]["stopReason"] == "end_turn"
        assert next(e for e in events if "metadata" in e)["metadata"]["usage"]["outputTokens"] > 0

    def test_a_tools_round_trip(self, client, model):
        tools = {"tools": [{"toolSpec": {"name": "weather", "description": "The weather in a city", "inputSchema": {"json": SCHEMA}}}]}
        messages = [{"role": "user", "content": [{"text": "use weather please"}]}]
        answer = client.converse(modelId=model, messages=messages, toolConfig=tools, inferenceConfig={"maxTokens": 200})
        assert answer["stopReason"] == "tool_use"
        message = answer["output"]["message"]
        call = next(part["toolUse"] for part in message["content"] if "toolUse" in part)
        assert call["name"] == "weather" and "city" in call["input"]
        result = {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "It is sunny."}]}}
        messages += [message, {"role": "user", "content": [result]}]
        answer = client.converse(modelId=model, messages=messages, toolConfig=tools, inferenceConfig={"maxTokens": 200})
        assert "It is sunny." in answer["output"]["message"]["content"][0]["text"]

    def test_an_error(self, client):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            client.converse(modelId="nonesuch", **self.ASK)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


class TestCohere:
    @pytest.fixture
    def client(self, envoy):
        return cohere.ClientV2(api_key="client-key", base_url=f"http://127.0.0.1:{envoy.port}", timeout=20)

    ASK = {"messages": [{"role": "user", "content": "What is up?"}], "max_tokens": 200}

    def test_text(self, client, model):
        answer = client.chat(model=model, **self.ASK)
        assert "What is up?" in answer.message.content[0].text and answer.finish_reason == "COMPLETE"
        assert answer.usage.tokens.input_tokens > 0

    def test_stream(self, client, model):
        events = list(client.chat_stream(model=model, **self.ASK))
        assert "What is up?" in "".join(e.delta.message.content.text for e in events if e.type == "content-delta")
        assert events[-1].type == "message-end" and events[-1].delta.finish_reason == "COMPLETE"

    def test_a_tools_round_trip(self, client, model):
        tools = [{"type": "function", "function": FUNCTION}]
        messages = [{"role": "user", "content": "use weather please"}]
        answer = client.chat(model=model, messages=messages, tools=tools, max_tokens=200)
        call = answer.message.tool_calls[0]
        assert answer.finish_reason == "TOOL_CALL" and call.function.name == "weather"
        messages.append({"role": "assistant", "tool_calls": [call.model_dump()]})
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "It is sunny."})
        answer = client.chat(model=model, messages=messages, tools=tools, max_tokens=200)
        assert "It is sunny." in answer.message.content[0].text

    def test_an_error(self, client):
        with pytest.raises(cohere.NotFoundError):
            client.chat(model="nonesuch", messages=[{"role": "user", "content": "hi"}])


class TestOllama:
    @pytest.fixture
    def client(self, envoy):
        return ollama.Client(host=f"http://127.0.0.1:{envoy.port}", timeout=20)

    ASK = {"messages": [{"role": "user", "content": "What is up?"}], "options": {"num_predict": 200}}

    def test_text(self, client, model):
        answer = client.chat(model=model, **self.ASK)
        assert "What is up?" in answer.message.content and answer.done and answer.done_reason == "stop"
        assert answer.prompt_eval_count > 0 and answer.eval_count > 0

    def test_stream(self, client, model):
        parts = list(client.chat(model=model, stream=True, **self.ASK))
        assert "What is up?" in "".join(part.message.content or "" for part in parts)
        assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]

    def test_a_tools_round_trip(self, client, model):
        tools = [{"type": "function", "function": FUNCTION}]
        messages = [{"role": "user", "content": "use weather please"}]
        answer = client.chat(model=model, messages=messages, tools=tools, options={"num_predict": 200})
        call = answer.message.tool_calls[0]
        assert call.function.name == "weather" and "city" in call.function.arguments
        messages += [answer.message, {"role": "tool", "tool_name": "weather", "content": "It is sunny."}]
        answer = client.chat(model=model, messages=messages, tools=tools, options={"num_predict": 200})
        assert "It is sunny." in answer.message.content

    def test_an_error(self, client):
        with pytest.raises(ollama.ResponseError) as error:
            client.chat(model="nonesuch", messages=[{"role": "user", "content": "hi"}])
        assert error.value.status_code == 404


class TestMistral:
    @pytest.fixture
    def client(self, envoy):
        with mistralai.client.Mistral(api_key="client-key", server_url=f"http://127.0.0.1:{envoy.port}", timeout_ms=20_000) as client:
            yield client

    ASK = {"messages": [{"role": "user", "content": "What is up?"}], "max_tokens": 200}

    def test_text(self, client, model):
        answer = client.chat.complete(model=model, **self.ASK)
        assert "What is up?" in answer.choices[0].message.content and answer.choices[0].finish_reason == "stop"

    def test_stream(self, client, model):
        chunks = [event.data for event in client.chat.stream(model=model, **self.ASK)]
        assert "What is up?" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    def test_tools(self, client, model):
        tools = [{"type": "function", "function": FUNCTION}]
        answer = client.chat.complete(model=model, messages=[{"role": "user", "content": "use weather please"}], tools=tools, max_tokens=200)
        assert answer.choices[0].message.tool_calls[0].function.name == "weather"
