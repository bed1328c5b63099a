//! Vendors and servers that speak OpenAI's Chat Completions, each with what it wants otherwise.

use super::quirks::{ALL, Members, Models, OPENAI, Quirks, Words};
use super::{Ask, Kind, Provider, Setting};
use crate::json::Value;
use crate::task::Format;

/// They also go on with a text that is no conversation.
const TEXT_TOO: &[(&str, &str)] = &[("openai", "/v1"), ("openai-completions", "/v1")];

/// What only OpenAI itself knows.
const OPENAI_ONLY: &[&str] = &[
    "audio",
    "modalities",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "verbosity",
    "web_search_options",
];

/// A model's chat template may know no other roles, and a server's limit no other name.
const TEMPLATED: Quirks = Quirks { developer: false, max_tokens: Some("max_tokens"), ..Quirks::NONE };

const fn of_all(names: &'static [&'static str]) -> Members {
    Members { of: ALL, thinking: false, names }
}

const fn of(starts: &'static [&'static str], names: &'static [&'static str]) -> Members {
    Members { of: Models { starts, but: &[] }, thinking: false, names }
}

const fn effort(starts: &'static [&'static str], known: &'static [&'static str]) -> Words {
    Words { of: Models { starts, but: &[] }, name: "reasoning_effort", known }
}

/// Cerebras. A member that it does not know is an error: <https://inference-docs.cerebras.ai/api-reference/chat-completions>.
pub static CEREBRAS: Kind = Kind {
    name: "cerebras",
    host: "api.cerebras.ai",
    quirks: Some(&Quirks {
        developer: false,
        unsupported: &[of_all(OPENAI_ONLY), of_all(&["function_call", "functions", "metadata"])],
        words: &[effort(&[], &["none", "low", "medium", "high"])],
        ..Quirks::NONE
    }),
    ..Kind::COMPATIBLE
};

/// DeepSeek: <https://api-docs.deepseek.com/api/create-chat-completion>. It refuses a turn with tool calls whose thinking does not
/// come back: <https://api-docs.deepseek.com/guides/thinking_mode>.
pub static DEEPSEEK: Kind = Kind {
    name: "deepseek",
    apis: &[("openai", "")],
    host: "api.deepseek.com",
    quirks: Some(&Quirks {
        echo_reasoning: true,
        json_schema: false,
        no_thinking: Some(("thinking", r#"{"type":"disabled"}"#)),
        stops: 16,
        unsupported: &[of(&["deepseek-reasoner"], &["logprobs", "top_logprobs"])],
        ..TEMPLATED
    }),
    ..Kind::COMPATIBLE
};

/// Fireworks: <https://docs.fireworks.ai/api-reference/post-chatcompletions>. It refuses both names of the limit together.
pub static FIREWORKS: Kind = Kind {
    name: "fireworks",
    apis: &[("openai", "/inference/v1"), ("openai-completions", "/inference/v1")],
    host: "api.fireworks.ai",
    quirks: Some(&Quirks {
        unsupported: &[of_all(OPENAI_ONLY)],
        words: &[
            effort(&["gpt-oss", "minimax"], &["low", "medium", "high"]),
            effort(&[], &["none", "low", "medium", "high"]),
        ],
        ..TEMPLATED
    }),
    ..Kind::COMPATIBLE
};

/// GitHub Models: <https://docs.github.com/en/rest/models/inference>. With an organization, calls are attributed to it.
pub static GITHUB: Kind = Kind {
    name: "github",
    apis: &[("openai", "/inference")],
    host: "models.github.ai",
    settings: &[Setting { name: "organization", required: false }],
    headers: &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
    path: Some(|provider: &Provider, ask: &Ask<'_>, below: &str| {
        let path = provider.path(provider.spoken(ask.api), below);
        provider.setting("organization").map_or_else(|| path.clone(), |name| ["/orgs/", name, &path].concat())
    }),
    quirks: Some(&OPENAI),
    ..Kind::COMPATIBLE
};

/// Groq: <https://console.groq.com/docs/openai>, <https://console.groq.com/docs/reasoning>. A member that it does not know is an
/// error, in messages too; a stream states its usage unasked, and twice when asked.
pub static GROQ: Kind = Kind {
    name: "groq",
    apis: &[("openai", "/openai/v1")],
    host: "api.groq.com",
    quirks: Some(&Quirks {
        ask_usage: false,
        stops: 4,
        unsupported: &[
            of_all(OPENAI_ONLY),
            of_all(&[
                "frequency_penalty",
                "presence_penalty",
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "n",
                "metadata",
            ]),
            of_all(&["prediction", "prompt_cache_key"]),
            of(&["llama", "kimi", "gemma2"], &["reasoning_effort"]),
        ],
        words: &[
            effort(&["gpt-oss"], &["low", "medium", "high"]),
            effort(&["qwen3"], &["none", "default"]),
            effort(&[], &["none", "default", "low", "medium", "high"]),
            Words { of: ALL, name: "service_tier", known: &["auto", "on_demand", "flex", "performance"] },
        ],
        in_messages: &["reasoning_content", "reasoning_details", "refusal", "annotations", "audio"],
        ..Quirks::NONE
    }),
    ..Kind::COMPATIBLE
};

/// Hugging Face's router to inference providers: <https://huggingface.co/docs/inference-providers/tasks/chat-completion>.
pub static HUGGINGFACE: Kind =
    Kind { name: "huggingface", host: "router.huggingface.co", quirks: Some(&TEMPLATED), ..Kind::COMPATIBLE };

/// llama.cpp's server: <https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md>.
pub static LLAMACPP: Kind = Kind { name: "llamacpp", apis: TEXT_TOO, quirks: Some(&TEMPLATED), ..Kind::COMPATIBLE };

/// LM Studio: <https://lmstudio.ai/docs/developer/openai-compat>. It refuses `json_object`
/// (<https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/189>) and a tool's name as choice
/// (<https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/670>).
pub static LMSTUDIO: Kind = Kind {
    name: "lmstudio",
    apis: TEXT_TOO,
    quirks: Some(&Quirks { json_object: false, named_tool: false, ..TEMPLATED }),
    ..Kind::COMPATIBLE
};

/// Mistral: <https://docs.mistral.ai/api>. A member that it does not know is an error, in messages too; an id of a tool call
/// must be nine letters and digits; a stream states its usage unasked.
pub static MISTRAL: Kind = Kind {
    name: "mistral",
    host: "api.mistral.ai",
    quirks: Some(&Quirks {
        ask_usage: false,
        seed: "random_seed",
        short_ids: true,
        prefix: true,
        whole_calls: true,
        unsupported: &[
            of_all(OPENAI_ONLY),
            of_all(&["function_call", "functions", "logit_bias", "stream_options", "user", "moderation"]),
        ],
        words: &[Words { of: ALL, name: "service_tier", known: &["auto", "standard_only"] }],
        in_messages: &[
            "name",
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "refusal",
            "annotations",
            "audio",
            "function_call",
        ],
        ..TEMPLATED
    }),
    adapt_task: Some(|_: &Provider, format: &Format, body: Value<'_>| {
        let dimensions = body.get("dimensions").filter(|_| format.name == "openai-embeddings");
        let renamed = |given: Value<'_>| [body.remove("dimensions"), Some(body.set("output_dimension", given.raw()))];
        dimensions.map(renamed).into_iter().flatten().flatten().collect()
    }),
    ..Kind::COMPATIBLE
};

/// NVIDIA's hosted NIM: <https://docs.api.nvidia.com/nim/reference/llm-apis>.
pub static NVIDIA: Kind =
    Kind { name: "nvidia", host: "integrate.api.nvidia.com", quirks: Some(&TEMPLATED), ..Kind::COMPATIBLE };

/// Ollama: <https://docs.ollama.com/api/openai-compatibility>, and its own chat.
pub static OLLAMA: Kind = Kind {
    name: "ollama",
    any_case: true,
    apis: &[("openai", "/v1"), ("ollama", "/api"), ("openai-completions", "/v1")],
    tasks: &["ollama-embed", "openai-embeddings"],
    quirks: Some(&Quirks { unsupported: &[of_all(&["n", "logit_bias", "tool_choice", "user"])], ..TEMPLATED }),
    ..Kind::COMPATIBLE
};

/// OpenRouter: <https://openrouter.ai/docs/api-reference/overview>. Two headers name the application.
pub static OPENROUTER: Kind = Kind {
    name: "openrouter",
    apis: &[("openai", "/api/v1"), ("openai-completions", "/api/v1")],
    host: "openrouter.ai",
    carried: &["http-referer", "x-title"],
    quirks: Some(&Quirks::NONE),
    ..Kind::COMPATIBLE
};

/// Perplexity: <https://docs.perplexity.ai/api-reference/chat-completions-post>. A stream states its usage unasked.
pub static PERPLEXITY: Kind = Kind {
    name: "perplexity",
    apis: &[("openai", "")],
    host: "api.perplexity.ai",
    quirks: Some(&Quirks {
        ask_usage: false,
        named_tool: false,
        words: &[effort(&[], &["minimal", "low", "medium", "high"])],
        ..TEMPLATED
    }),
    ..Kind::COMPATIBLE
};

/// SambaNova: <https://docs.sambanova.ai/docs/en/api-reference/endpoints/chat>.
pub static SAMBANOVA: Kind = Kind {
    name: "sambanova",
    host: "api.sambanova.ai",
    quirks: Some(&Quirks { developer: false, words: &[effort(&[], &["low", "medium", "high"])], ..Quirks::NONE }),
    ..Kind::COMPATIBLE
};

/// SGLang: <https://docs.sglang.ai/basic_usage/openai_api_completions.html>.
pub static SGLANG: Kind = Kind { name: "sglang", apis: TEXT_TOO, quirks: Some(&TEMPLATED), ..Kind::COMPATIBLE };

/// Text Generation Inference: <https://huggingface.co/docs/text-generation-inference/reference/api_reference>.
pub static TGI: Kind = Kind { name: "tgi", apis: TEXT_TOO, quirks: Some(&TEMPLATED), ..Kind::COMPATIBLE };

/// Together: <https://docs.together.ai/reference/chat-completions-1>.
pub static TOGETHER: Kind = Kind {
    name: "together",
    apis: TEXT_TOO,
    host: "api.together.ai",
    quirks: Some(&Quirks {
        no_thinking: Some(("reasoning", r#"{"enabled":false}"#)),
        words: &[effort(&[], &["none", "low", "medium", "high"])],
        ..TEMPLATED
    }),
    ..Kind::COMPATIBLE
};

/// vLLM: <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>.
pub static VLLM: Kind = Kind { name: "vllm", apis: TEXT_TOO, quirks: Some(&TEMPLATED), ..Kind::COMPATIBLE };

/// xAI: <https://docs.x.ai/docs/guides/reasoning>. What thinks refuses penalties and stop sequences; only some can be told how much.
pub static XAI: Kind = Kind {
    name: "xai",
    apis: &[("openai", "/v1"), ("openai-responses", "/v1")],
    host: "api.x.ai",
    quirks: Some(&Quirks {
        unsupported: &[
            Members {
                of: Models { starts: XAI_THINKING, but: &["non-reasoning"] },
                thinking: false,
                names: &["presence_penalty", "frequency_penalty", "stop"],
            },
            Members {
                of: Models {
                    starts: &["grok-2", "grok-3", "grok-4", "grok-4.20", "grok-code"],
                    but: &["mini", "multi-agent"],
                },
                thinking: false,
                names: &["reasoning_effort"],
            },
        ],
        words: &[effort(&["grok-3-mini"], &["low", "high"]), effort(&["grok-4.3"], &["none", "low", "medium", "high"])],
        ..Quirks::NONE
    }),
    ..Kind::COMPATIBLE
};

const XAI_THINKING: &[&str] = &["grok-3-mini", "grok-4", "grok-4.20", "grok-4.3", "grok-4.5", "grok-4.6", "grok-code"];
