"""What is written for clients of the Responses API, held against the models of OpenAI's own SDK. Needs no Envoy: the golden cases
are what the module writes."""

import json
import pathlib

import pydantic
import pytest
from openai.types.responses import Response, ResponseStreamEvent

GOLDEN = pathlib.Path(__file__).parent.parent / "golden/openai-responses"
EVENT = pydantic.TypeAdapter(ResponseStreamEvent)


def cases(start):
    found = sorted(GOLDEN.glob(f"{start}-*.json"))
    assert len(found) >= 5
    return [pytest.param(json.loads(path.read_text())["out"], id=path.stem) for path in found]


def events(lines):
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def unknown(model, at=""):
    """Members that the SDK's model does not have."""
    if isinstance(model, list):
        return [name for i, one in enumerate(model) for name in unknown(one, f"{at}[{i}]")]
    if not isinstance(model, pydantic.BaseModel):
        return []
    own = [f"{at}.{name}" for name in model.model_extra or {}]
    return own + [name for field in type(model).model_fields for name in unknown(getattr(model, field), f"{at}.{field}")]


@pytest.mark.parametrize("answer", cases("answer"))
def test_an_answer_is_a_response(answer):
    response = Response.model_validate(answer, strict=True)
    # `store` is in the vendor's answers, and not in the SDK's model.
    assert unknown(response) == [".store"]
    assert response.id.startswith("resp_") and response.usage.total_tokens > 0
    assert response.status in ("completed", "incomplete")


@pytest.mark.parametrize("lines", cases("stream"))
def test_every_event_of_a_stream_is_an_event(lines):
    all = events(lines)
    for number, event in enumerate(all):
        read = EVENT.validate_python(event, strict=True)
        assert read.type == event["type"] and read.sequence_number == number
        # SDKs raise at `error`, as the vendor sends it too.
        assert set(unknown(read)) <= {".response.store", ".error"}
    assert all[-1]["type"] in ("response.completed", "response.incomplete", "response.failed", "error")
    whole = Response.model_validate(all[-1]["response"], strict=True)
    texts = [event["text"] for event in all if event["type"] == "response.output_text.done"]
    assert whole.output_text == "".join(texts) or whole.status == "failed"
