"""Official SDKs asking for something else than chat: embeddings, rankings, images, speech, counts, files.

The stand-in gives a text the same vector in every API, so that a vector may be compared with what OpenAI's would be."""

import base64
import contextlib
import functools
import io
import json

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import cohere
import kinds
import mistralai.client
import ollama
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

# A model that embeds, by the kind of its provider.
EMBED = {
    "openai": ("openai", "text-embedding-3-small"),
    "gemini": ("gemini", "gemini-embedding-001"),
    "vertex": ("vertex", "text-embedding-005"),
    "titan": ("bedrock", "amazon.titan-embed-text-v2:0"),
    "bedrock-cohere": ("bedrock", "cohere.embed-v4:0"),
    "cohere": ("cohere", "embed-v4.0"),
    "ollama": ("ollama", "nomic-embed-text"),
}
# Those that take several texts at once from clients of any API.
SEVERAL = [kind for kind in EMBED if kind != "titan"]
OPENAI_ONLY = ["gpt-image-1", "gpt-4o-mini-tts", "whisper-1", "omni-moderation-latest", "gpt-3.5-turbo-instruct"]
STATUS = pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
TEXTS = ["sunny", "rainy"]
DIMENSIONS = 256


def models() -> list[dict]:
    made = [{"name": f"{model}*", "targets": [{"provider": provider}]} for provider, model in EMBED.values()]
    made += [{"name": f"{model}*", "targets": [{"provider": "openai"}]} for model in OPENAI_ONLY]
    made.append({"name": "rerank-v3.5*", "targets": [{"provider": "cohere"}]})
    made.append({"name": "either", "targets": [{"provider": "cohere", "model": "embed-v4.0"}, {"provider": "openai", "model": "text-embedding-3-small"}]})
    # Amazon's and Google's clients name a format in their paths: these are served by another.
    made.append({"name": "amazon.titan-embed-elsewhere", "targets": [{"provider": "openai", "model": "text-embedding-3-small"}]})
    return made


@pytest.fixture(scope="module")
def envoy():
    with kinds.serving({"models": models(), "other_paths": {"provider": "openai"}}) as envoy:
        yield envoy


@pytest.fixture(params=EMBED)
def embedder(request):
    return EMBED[request.param][1]


@pytest.fixture(params=SEVERAL)
def several(request):
    return EMBED[request.param][1]


def direct(envoy) -> openai.OpenAI:
    """A client of the stand-in itself."""
    return openai.OpenAI(base_url=f"http://127.0.0.1:{envoy.standin.ports['openai']}/v1", api_key="k", max_retries=0)


@pytest.fixture(scope="module")
def vectors(envoy):
    """What the texts' vectors are."""
    with direct(envoy) as client:
        embed = functools.partial(client.embeddings.create, model="m", encoding_format="float")
        yield lambda *texts, **ask: [one.embedding for one in embed(input=list(texts), **ask).data]


def close(one, other) -> bool:
    """The same but for what 32 bits cannot hold."""
    return len(one) == len(other) and all(pytest.approx(b, abs=1e-6) == a for a, b in zip(one, other, strict=True))


@contextlib.contextmanager
def down(envoy, api: str, faults: str):
    """One API fails."""
    envoy.standin.control("faults", "POST", {"api": api, "faults": faults})
    try:
        yield
    finally:
        envoy.standin.control("faults", "DELETE")


class TestOpenAI:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, envoy):
        with openai.OpenAI(base_url=f"http://127.0.0.1:{envoy.port}/v1", api_key="client-key", max_retries=0, timeout=20) as client:
            yield client

    def test_embeddings(self, client, several, vectors):
        # The SDK asks for base64 and reads it.
        answer = client.embeddings.create(model=several, input=TEXTS)
        assert [one.index for one in answer.data] == [0, 1]
        assert all(close(one.embedding, want) for one, want in zip(answer.data, vectors(*TEXTS), strict=True))
        assert answer.usage.total_tokens == answer.usage.prompt_tokens

    @pytest.mark.parametrize("form", ["float", "base64"])
    def test_one_text_at_a_length(self, client, embedder, vectors, form):
        answer = client.embeddings.create(model=embedder, input="sunny", dimensions=DIMENSIONS, encoding_format=form)
        got = answer.data[0].embedding
        if form == "base64":
            raw = client.embeddings.with_raw_response.create(model=embedder, input="sunny", dimensions=DIMENSIONS, encoding_format=form)
            assert len(base64.b64decode(json.loads(raw.text)["data"][0]["embedding"])) == 4 * DIMENSIONS
        else:
            assert close(got, vectors("sunny", dimensions=DIMENSIONS)[0])

    def test_token_ids_are_openais_own(self, client, vectors):
        assert len(client.embeddings.create(model=EMBED["openai"][1], input=[1, 2, 3]).data) == 1
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(model=EMBED["cohere"][1], input=[1, 2, 3])
        assert caught.value.type == "invalid_request_error" and caught.value.param.startswith("input")

    @STATUS
    def test_errors(self, client, envoy, embedder, status):
        classes = {400: openai.BadRequestError, 401: openai.AuthenticationError, 429: openai.RateLimitError}
        with envoy.standin.failing(f"status={status}"), pytest.raises(classes.get(status, openai.InternalServerError)) as caught:
            client.embeddings.create(model=embedder, input="sunny")
        assert caught.value.status_code == status and caught.value.type

    def test_another_provider_embeds(self, client, envoy, vectors):
        with down(envoy, "cohere", "status=503"):
            raw = client.embeddings.with_raw_response.create(model="either", input=TEXTS)
        assert (raw.headers["x-sluice-provider"], raw.headers["x-sluice-attempts"]) == ("openai", "2")
        assert close(raw.parse().data[0].embedding, vectors("sunny")[0])

    def test_who_does_not_embed(self, client):
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(model=kinds.MODELS["anthropic"], input="sunny")
        assert caught.value.code == "unsupported_operation"

    def test_images(self, client):
        answer = client.images.generate(model="gpt-image-1", prompt="A cat", n=2)
        assert len(answer.data) == 2 and base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG")
        assert answer.usage.output_tokens == 544

    def test_a_stream_of_images(self, client):
        events = list(client.images.generate(model="gpt-image-1", prompt="A cat", stream=True, partial_images=1))
        assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]

    def test_an_edited_image(self, client):
        picture = ("cat.png", b"\x89PNG\r\n\x1a\n--not a boundary", "image/png")
        answer = client.images.edit(model="gpt-image-1", image=picture, prompt="A hat")
        assert base64.b64decode(answer.data[0].b64_json)

    def test_speech(self, client, envoy):
        ask = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning"}
        with direct(envoy) as other:
            assert client.audio.speech.create(**ask).content == other.audio.speech.create(**ask).content
        with client.audio.speech.with_streaming_response.create(**ask, response_format="wav") as answer:
            assert answer.headers["content-type"] == "audio/wav" and len(b"".join(answer.iter_bytes(256))) == 64 * len(ask["input"])

    @pytest.mark.parametrize("kind", ["transcriptions", "translations"])
    def test_heard(self, client, kind):
        sound = ("a.wav", io.BytesIO(bytes(range(256)) * 9), "audio/wav")
        answer = getattr(client.audio, kind).create(model="whisper-1", file=sound)
        assert answer.text == "The stand-in heard a.wav: 2304 bytes"

    def test_heard_as_text_and_as_a_stream(self, client):
        sound = ("a.wav", b"RIFF", "audio/wav")
        assert "heard a.wav: 4 bytes" in client.audio.transcriptions.create(model="whisper-1", file=sound, response_format="text")
        events = list(client.audio.transcriptions.create(model="whisper-1", file=sound, stream=True))
        assert events[-1].type == "transcript.text.done" and events[-1].text == "".join(e.delta for e in events[:-1])

    def test_moderation(self, client):
        answer = client.moderations.create(model="omni-moderation-latest", input=["violence", "flowers"])
        assert [one.flagged for one in answer.results] == [True, False] and answer.results[0].categories.violence

    @pytest.mark.parametrize("fault", ["status=500", "status=429"])
    @pytest.mark.parametrize("what", ["images", "edits", "speech", "heard", "moderation"])
    def test_errors_of_the_rest(self, client, envoy, what, fault):
        ask = {
            "images": lambda: client.images.generate(model="gpt-image-1", prompt="A cat"),
            "edits": lambda: client.images.edit(model="gpt-image-1", image=b"x", prompt="A hat"),
            "speech": lambda: client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="hi"),
            "heard": lambda: client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"x")),
            "moderation": lambda: client.moderations.create(input="x"),
        }[what]
        kind = openai.RateLimitError if fault.endswith("429") else openai.InternalServerError
        with envoy.standin.failing(fault), pytest.raises(kind) as caught:
            ask()
        assert caught.value.body["message"]

    @pytest.mark.parametrize("kind", [kind for kind in kinds.MODELS if kind != "openai"])
    def test_completions(self, client, kind):
        ask = {"model": kinds.MODELS[kind], "prompt": "What is up?", "max_tokens": 200}
        answer = client.completions.create(**ask)
        assert "What is up?" in answer.choices[0].text and answer.choices[0].finish_reason == "stop"
        assert answer.usage.total_tokens > 0
        chunks = list(client.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        assert "What is up?" in "".join(c.choices[0].text for c in chunks if c.choices) and chunks[-1].usage.total_tokens > 0

    @STATUS
    def test_errors_of_completions(self, client, envoy, status):
        with envoy.standin.failing(f"status={status}"), pytest.raises(openai.APIStatusError) as caught:
            client.completions.create(model=kinds.MODELS["anthropic"], prompt="hi")
        assert caught.value.status_code == status

    def test_files_and_batches(self, client, envoy):
        lines = b'{"custom_id":"1"}\n' * 3
        file = client.files.create(file=("b.jsonl", lines), purpose="batch")
        assert (file.filename, file.bytes) == ("b.jsonl", len(lines))
        assert client.files.retrieve(file.id).id == file.id and len(client.files.list().data) == 1
        assert client.files.content(file.id).content.startswith(b"{")
        assert client.files.delete(file.id).deleted
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        assert client.batches.retrieve(batch.id).id == batch.id and client.batches.list().data
        with envoy.standin.failing("status=404"), pytest.raises(openai.NotFoundError):
            client.batches.retrieve(batch.id)


class TestCohere:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, envoy):
        return cohere.ClientV2(api_key="client-key", base_url=f"http://127.0.0.1:{envoy.port}", timeout=20)

    def test_embed(self, client, several, vectors):
        answer = client.embed(model=several, texts=TEXTS, input_type="search_document", embedding_types=["float"])
        assert all(close(one, want) for one, want in zip(answer.embeddings.float_, vectors(*TEXTS), strict=True))

    def test_a_length(self, client, embedder, vectors):
        answer = client.embed(model=embedder, texts=["sunny"], input_type="search_query", embedding_types=["float"], output_dimension=DIMENSIONS)
        assert close(answer.embeddings.float_[0], vectors("sunny", dimensions=DIMENSIONS)[0])

    def test_rerank(self, client):
        answer = client.rerank(model="rerank-v3.5", query="sunny weather", documents=["a car", "weather", "sunny weather"], top_n=2)
        assert [one.index for one in answer.results] == [2, 1]

    @STATUS
    def test_errors(self, client, envoy, embedder, status):
        with envoy.standin.failing(f"status={status}"), pytest.raises(cohere.core.ApiError) as caught:
            client.embed(model=embedder, texts=["x"], input_type="search_query", request_options={"max_retries": 0})
        assert caught.value.status_code == status and caught.value.body["message"]

    @STATUS
    def test_errors_of_a_ranking(self, client, envoy, status):
        with envoy.standin.failing(f"status={status}"), pytest.raises(cohere.core.ApiError) as caught:
            client.rerank(model="rerank-v3.5", query="x", documents=["y"], request_options={"max_retries": 0})
        assert caught.value.status_code == status


class TestGemini:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, envoy):
        options = types.HttpOptions(base_url=f"http://127.0.0.1:{envoy.port}", timeout=20_000)
        return genai.Client(api_key="client-key", http_options=options, vertexai=False)

    def test_embed(self, client, several, vectors):
        answer = client.models.embed_content(model=several, contents=TEXTS)
        assert all(close(one.values, want) for one, want in zip(answer.embeddings, vectors(*TEXTS), strict=True))

    def test_a_length(self, client, embedder, vectors):
        config = types.EmbedContentConfig(output_dimensionality=DIMENSIONS, task_type="RETRIEVAL_QUERY")
        answer = client.models.embed_content(model=embedder, contents="sunny", config=config)
        assert close(answer.embeddings[0].values, vectors("sunny", dimensions=DIMENSIONS)[0])

    @pytest.mark.parametrize("kind", ["gemini", "vertex"])
    def test_a_count_of_tokens(self, client, kind):
        assert client.models.count_tokens(model=kinds.MODELS[kind], contents="What is up?").total_tokens > 0

    def test_who_does_not_count(self, client):
        with pytest.raises(genai_errors.ClientError) as caught:
            client.models.count_tokens(model=kinds.MODELS["openai"], contents="What is up?")
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")

    @STATUS
    def test_errors(self, client, envoy, embedder, status):
        kind = genai_errors.ClientError if status < 500 else genai_errors.ServerError
        with envoy.standin.failing(f"status={status}"), pytest.raises(kind) as caught:
            client.models.embed_content(model=embedder, contents="x")
        assert caught.value.code == status


class TestMistral:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, envoy):
        with mistralai.client.Mistral(api_key="client-key", server_url=f"http://127.0.0.1:{envoy.port}/mistral", timeout_ms=20_000) as client:
            yield client

    def test_embeddings(self, client, several, vectors):
        answer = client.embeddings.create(model=several, inputs=TEXTS)
        assert all(close(one.embedding, want) for one, want in zip(answer.data, vectors(*TEXTS), strict=True))

    @STATUS
    def test_errors(self, client, envoy, embedder, status):
        with envoy.standin.failing(f"status={status}"), pytest.raises(mistralai.client.errors.MistralError) as caught:
            client.embeddings.create(model=embedder, inputs="x")
        assert caught.value.status_code == status

    def test_a_length(self, client, embedder, vectors):
        answer = client.embeddings.create(model=embedder, inputs=["sunny"], output_dimension=DIMENSIONS)
        assert close(answer.data[0].embedding, vectors("sunny", dimensions=DIMENSIONS)[0])

    def test_moderation(self, client):
        assert client.classifiers.moderate(model="omni-moderation-latest", inputs=["violence"]).results[0].categories["violence"]


class TestOllama:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, envoy):
        return ollama.Client(host=f"http://127.0.0.1:{envoy.port}", timeout=20)

    def test_embed(self, client, several, vectors):
        answer = client.embed(model=several, input=TEXTS)
        assert all(close(one, want) for one, want in zip(answer.embeddings, vectors(*TEXTS), strict=True))

    def test_a_length(self, client, embedder, vectors):
        answer = client.embed(model=embedder, input="sunny", dimensions=DIMENSIONS)
        assert close(answer.embeddings[0], vectors("sunny", dimensions=DIMENSIONS)[0])

    @STATUS
    def test_errors(self, client, envoy, embedder, status):
        with envoy.standin.failing(f"status={status}"), pytest.raises(ollama.ResponseError) as caught:
            client.embed(model=embedder, input="x")
        assert caught.value.status_code == status and caught.value.error


class TestAnthropic:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, envoy):
        with anthropic.Anthropic(base_url=f"http://127.0.0.1:{envoy.port}", api_key="client-key", max_retries=0, timeout=20) as client:
            yield client

    ASK = {"messages": [{"role": "user", "content": "What is up?"}]}

    @pytest.mark.parametrize("kind", ["anthropic", "vertex-anthropic"])
    def test_a_count_of_tokens(self, client, kind):
        assert client.messages.count_tokens(model=kinds.MODELS[kind], **self.ASK).input_tokens > 0

    @pytest.mark.parametrize("kind", ["anthropic", "vertex-anthropic"])
    @STATUS
    def test_errors(self, client, envoy, kind, status):
        with envoy.standin.failing(f"status={status}"), pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.count_tokens(model=kinds.MODELS[kind], **self.ASK)
        assert caught.value.status_code in (status, 529 if status == 503 else status) and caught.value.body["error"]["type"]

    def test_who_does_not_count(self, client):
        with pytest.raises(anthropic.BadRequestError) as caught:
            client.messages.count_tokens(model=kinds.MODELS["openai"], **self.ASK)
        assert caught.value.body["error"]["type"] == "invalid_request_error"


class TestBedrock:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, envoy):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20)
        keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
        return boto3.client("bedrock-runtime", endpoint_url=f"http://127.0.0.1:{envoy.port}", region_name="us-east-1", config=config, **keys)

    def test_embeddings(self, client, vectors):
        for model in (EMBED["titan"][1], "amazon.titan-embed-elsewhere"):
            answer = client.invoke_model(modelId=model, body=json.dumps({"inputText": "sunny", "dimensions": DIMENSIONS}))
            assert close(json.load(answer["body"])["embedding"], vectors("sunny", dimensions=DIMENSIONS)[0])
        body = json.dumps({"texts": TEXTS, "input_type": "search_document"})
        answer = json.load(client.invoke_model(modelId=EMBED["bedrock-cohere"][1], body=body)["body"])
        assert all(close(one, want) for one, want in zip(answer["embeddings"], vectors(*TEXTS), strict=True))

    @STATUS
    @pytest.mark.parametrize("model", [EMBED["titan"][1], "amazon.titan-embed-elsewhere"])
    def test_errors(self, client, envoy, model, status):
        with envoy.standin.failing(f"status={status}"), pytest.raises(botocore.exceptions.ClientError) as caught:
            client.invoke_model(modelId=model, body=json.dumps({"inputText": "sunny"}))
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert caught.value.response["Error"]["Code"].endswith("Exception")
