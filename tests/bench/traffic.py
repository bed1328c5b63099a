"""What clients send and providers answer: like the real ones in size, shape and headers."""

import json
import pathlib

SENTENCES = [
    "The quarterly report lists three suppliers, two of which raised their prices in May. ",
    "Please compare them, and say which contract should be renewed.\n",
    "Deliveries to Zürich took four days; the others arrived on time. ",
    'The clause reads: "either side may end this agreement with a notice of 30 days". ',
    "Costs rose by 4.5 % where fuel is part of the price.\n\n",
]
TURN = 1500

ASKED = ["gpt-4o", "gpt-4o-translated"]
RENAMED = "gpt-4o-2024-11-20"
CLAUDE = "claude-sonnet-4-5"
CREATED = 1750000000

CLIENT_HEADERS = [
    "accept: application/json",
    "accept-encoding: gzip, deflate",
    "authorization: Bearer client-key-0123456789abcdef",
    "content-type: application/json",
    "user-agent: OpenAI/Python 2.54.0",
    "x-stainless-arch: x64",
    "x-stainless-async: false",
    "x-stainless-lang: python",
    "x-stainless-os: Linux",
    "x-stainless-package-version: 2.54.0",
    "x-stainless-read-timeout: 600",
    "x-stainless-retry-count: 0",
    "x-stainless-runtime: CPython",
    "x-stainless-runtime-version: 3.12.4",
]

OPENAI_HEADERS = [
    "date: Sun, 15 Jun 2025 15:06:40 GMT",
    "openai-organization: org-0123456789abcdef",
    "openai-processing-ms: 412",
    "openai-version: 2020-10-01",
    "x-ratelimit-limit-requests: 10000",
    "x-ratelimit-limit-tokens: 30000000",
    "x-ratelimit-remaining-requests: 9999",
    "x-ratelimit-remaining-tokens: 29999000",
    "x-ratelimit-reset-requests: 6ms",
    "x-ratelimit-reset-tokens: 2ms",
    "x-request-id: req_0123456789abcdef0123456789abcdef",
]

ANTHROPIC_HEADERS = [
    "date: Sun, 15 Jun 2025 15:06:40 GMT",
    "anthropic-organization-id: 01234567-89ab-cdef-0123-456789abcdef",
    "anthropic-ratelimit-requests-limit: 4000",
    "anthropic-ratelimit-requests-remaining: 3999",
    "anthropic-ratelimit-requests-reset: 2025-06-15T15:06:41Z",
    "anthropic-ratelimit-tokens-limit: 400000",
    "anthropic-ratelimit-tokens-remaining: 399000",
    "anthropic-ratelimit-tokens-reset: 2025-06-15T15:06:41Z",
    "request-id: req_0123456789abcdef01234567",
]


def prose(length: int) -> str:
    text = "".join(SENTENCES)
    return (text * (length // len(text) + 1))[:length]


def compact(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def request(model: str, size: int, stream: bool) -> bytes:
    """A conversation of so many bytes as JSON."""
    document = {"model": model, "messages": [{"role": "system", "content": "You are a careful analyst."}]}
    if stream:
        document["stream"] = True
    document.update(temperature=0.2, max_completion_tokens=1024)
    turn = 0
    while (left := size - len(compact(document).encode())) > 200:
        role = ("user", "assistant")[turn % 2]
        document["messages"].append({"role": role, "content": prose(min(left - 60, TURN))})
        turn += 1
    if document["messages"][-1]["role"] == "assistant":
        document["messages"].append({"role": "user", "content": "Go on."})
    left = size - len(compact(document).encode())
    document["messages"][0]["content"] += "." * max(left, 0)
    return compact(document).encode()


def openai_answer() -> bytes:
    usage = {"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320}
    usage["prompt_tokens_details"] = {"cached_tokens": 0, "audio_tokens": 0}
    usage["completion_tokens_details"] = {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    message = {"role": "assistant", "content": prose(600), "refusal": None, "annotations": []}
    return compact({
        "id": "chatcmpl-0123456789abcdef0123456789abc", "object": "chat.completion", "created": CREATED, "model": RENAMED,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage, "service_tier": "default", "system_fingerprint": "fp_0123456789",
    }).encode()


def anthropic_answer() -> bytes:
    usage = {"input_tokens": 200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 120, "service_tier": "standard"}
    return compact({
        "model": CLAUDE, "id": "msg_0123456789abcdefghijklmn", "type": "message", "role": "assistant",
        "content": [{"type": "text", "text": prose(600)}], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage,
    }).encode()


def openai_stream(events: int) -> bytes:
    def chunk(choices, **more):
        return compact({
            "id": "chatcmpl-0123456789abcdef0123456789abc", "object": "chat.completion.chunk", "created": CREATED, "model": RENAMED,
            "service_tier": "default", "system_fingerprint": "fp_0123456789", "choices": choices, **more,
        })

    def delta(delta, finish=None):
        return chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])

    words = prose(10_000).split(" ")
    data = [delta({"role": "assistant", "content": "", "refusal": None})]
    data += [delta({"content": f"{words[n]} "}) for n in range(events - 4)]
    data.append(delta({}, "stop"))
    data.append(chunk([], usage={"prompt_tokens": 200, "completion_tokens": events - 4, "total_tokens": 196 + events}))
    data.append("[DONE]")
    return "".join(f"data: {each}\n\n" for each in data).encode()


def anthropic_stream(events: int) -> bytes:
    usage = {"input_tokens": 200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}
    message = {
        "model": CLAUDE, "id": "msg_0123456789abcdefghijklmn", "type": "message", "role": "assistant",
        "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
    }
    words = prose(10_000).split(" ")
    data = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    data += [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"{words[n]} "}} for n in range(events - 6)]
    data += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": events - 6}},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {each['type']}\ndata: {compact(each)}\n\n" for each in data).encode()


def write(folder: pathlib.Path, name: str, body: bytes) -> str:
    path = folder / name
    path.write_bytes(body)
    return str(path)
