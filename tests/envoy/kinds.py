"""One provider of every kind of API, each a stand-in on this machine, and the models that they serve."""

import contextlib

import harness
from standin import Standin

# By kind: its configuration, the stand-in's API, a model.
KINDS = {
    "openai": ({"api": "openai", "apis": ["openai"]}, "openai", "gpt-4o"),
    "responses": ({"api": "openai", "apis": ["openai-responses"]}, "openai", "gpt-5"),
    "anthropic": ({"api": "anthropic"}, "anthropic", "claude-sonnet-4-5"),
    "gemini": ({"api": "gemini"}, "gemini", "gemini-2.5-flash"),
    "vertex": ({"api": "vertex", "project": "p", "location": "europe-west1"}, "gemini", "gemini-2.5-pro"),
    "vertex-anthropic": ({"api": "vertex-anthropic", "project": "p", "location": "europe-west1"}, "gemini", "claude-opus-4-5@20251101"),
    "bedrock": ({"api": "bedrock", "region": "us-east-1"}, "bedrock", "amazon.nova-lite-v1:0"),
    "bedrock-anthropic": ({"api": "bedrock-anthropic", "region": "us-east-1"}, "bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"),
    "cohere": ({"api": "cohere"}, "cohere", "command-a-03-2025"),
    "ollama": ({"api": "ollama", "apis": ["ollama"], "host": "ollama.internal"}, "ollama", "llama3.2"),
}
MODELS = {kind: model for kind, (_, _, model) in KINDS.items()}


def document() -> dict:
    return {
        "providers": {kind: {**provider, "auth": {"value": f"key-{kind}"}} for kind, (provider, _, _) in KINDS.items()},
        "models": [{"name": f"{model}*", "targets": [{"provider": kind}]} for kind, model in MODELS.items()],
        "cooldown": "1ms",
    }


@contextlib.contextmanager
def serving(more: dict | None = None):
    """An Envoy and the stand-ins behind it."""
    given = document()
    for name, value in (more or {}).items():
        given[name] = given[name] + value if isinstance(given.get(name), list) else value
    with Standin() as standin:
        ports = {kind: standin.ports[api] for kind, (_, api, _) in KINDS.items()}
        with harness.serving(given, ports) as envoy:
            envoy.standin = standin
            yield envoy
