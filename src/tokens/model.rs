//! Which rules a model counts by, from its name.

use super::Encoding;
use super::count::{Budget, Count, Measured, count_within};
use super::families::{self, Weights};
use super::media::Media;
use super::weigh::{self, Tally};

/// How a model counts. Made from its upstream name.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub(super) rule: &'static Rule,
    /// What an image comes to depends on it.
    pub(super) size: Size,
    pub(super) is_4o: bool,
    pub(super) responses: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Full,
    Mini,
    Nano,
}

impl Model {
    /// A vendor's or a host's prefix is passed over: `openai/gpt-4o`, `us.anthropic.claude-…`, `ft:gpt-4o-mini:…`.
    pub fn named(name: &str) -> Self {
        Self::at("", name)
    }

    /// The same where the kind of its provider is known: some count otherwise.
    pub fn at(kind: &str, name: &str) -> Self {
        let mut name = name.as_bytes().get(..MAX_NAME).unwrap_or(name.as_bytes()).to_vec();
        name.make_ascii_lowercase();
        let words = Words::of(&name);
        let fits = |known: &str| match known.split_once('/') {
            Some((of, known)) => of == kind && words.have(known),
            None => words.have(known),
        };
        let rule = RULES.iter().find(|rule| rule.names.split(' ').any(fits)).unwrap_or(&OTHER);
        let contains = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
        let size = if contains(b"nano") {
            Size::Nano
        } else if contains(b"mini") && !contains(b"gemini") {
            Size::Mini
        } else {
            Size::Full
        };
        Self { rule, size, is_4o: words.have("gpt-4o"), responses: false }
    }

    /// The same model called through OpenAI's Responses API, which adds less around tools.
    #[must_use]
    pub fn in_responses(self) -> Self {
        Self { responses: true, ..self }
    }

    /// The encoding in which the model's text is counted exactly, if it is known.
    pub fn encoding(self) -> Option<Encoding> {
        self.rule.encoding
    }

    /// The tokens of a text by itself.
    pub fn text(self, text: &str, budget: &mut Budget) -> Count {
        match self.rule.encoding {
            Some(encoding) => count_within(encoding, text, budget),
            None => self.of_measured(&Measured::of(Encoding::O200k, text, budget), text.len()),
        }
    }

    /// The same of a text of so many bytes that was measured in `o200k_base`, for whatever is not counted in another encoding.
    pub(super) fn of_measured(self, measured: &Measured<Tally>, bytes: usize) -> Count {
        match self.rule.encoding {
            Some(_) => weigh::exact(measured),
            None => weigh::text(self.rule.weights, measured, bytes),
        }
    }
}

/// Whether both come to the same for every request.
impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.rule, other.rule)
            && (self.size, self.is_4o, self.responses) == (other.size, other.is_4o, other.responses)
    }
}

impl Eq for Model {}

/// Bytes of a name that are looked at.
const MAX_NAME: usize = 256;

/// A name from each place on where a word starts in it.
struct Words<'n>(Vec<&'n [u8]>);

impl<'n> Words<'n> {
    fn of(name: &'n [u8]) -> Self {
        let starts =
            |at: &usize| at.checked_sub(1).and_then(|at| name.get(at)).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        Self((0..name.len()).filter(starts).filter_map(|at| name.get(at..)).collect())
    }

    /// `known` stands where a word starts.
    fn have(&self, known: &str) -> bool {
        let known = known.as_bytes();
        self.0.iter().any(|rest| rest.first() == known.first() && rest.starts_with(known))
    }
}

/// What a provider adds to the text: tokens, or hundredths of a token for each token in `o200k_base`.
#[derive(Debug)]
pub(super) struct Rule {
    /// Of which the model's name has one, apart by spaces. `vertex/…`: at that kind of provider.
    pub names: &'static str,
    pub encoding: Option<Encoding>,
    pub media: Media,
    /// Hundredths of a token for each patch of an image: of full models, if they count so; of small ones.
    pub patches: [u8; 2],
    /// Once a call.
    pub base: u16,
    /// Each turn but the system's.
    pub turn: u8,
    /// Each turn more in which the model said something.
    pub said: u8,
    /// Each turn of the system's or the developer's.
    pub system: u8,
    /// If the model is told to think for so many tokens, or to some effort.
    pub thinking: u8,
    /// If it is told to think as it sees fit.
    pub adaptive: u8,
    /// Hundredths: what was thought in turns before. 0: only where a tool's result is all that follows.
    pub thought: u8,
    /// Of what a provider sealed of its thinking, the bytes that say nothing, and hundredths for each more.
    pub sealed: [u16; 2],
    /// What is sealed in a call of a tool is left out once the client has spoken again.
    pub forgets: bool,
    /// Each document that is given as text; once if one is to be cited.
    pub document: u8,
    pub cited: u16,
    /// Once if a call to the Responses API gives instructions that are empty; of open models in each, and room for it in chats.
    pub unsaid: u8,
    /// Once if there are tools; more in a chat call; more if one must be called; each tool.
    pub tools: u16,
    pub tools_chat: u8,
    pub forced: u8,
    pub tool: u8,
    pub call: u8,
    pub result: u8,
    /// Once if the answer must fit a schema.
    pub format: u8,
    /// Hundredths: a tool's name, description and schema; an answer's schema.
    pub tool_text: u8,
    pub format_text: u8,
    pub weights: &'static Weights,
}

/// `once`: base, tools. `each`: turn, system, thinking, forced, tool, call, result, format. `text`: tools, format.
const fn rule(
    names: &'static str,
    media: Media,
    once: [u16; 2],
    each: [u8; 8],
    text: [u8; 2],
    weights: &'static Weights,
) -> Rule {
    let [base, tools] = once;
    let [turn, system, thinking, forced, tool, call, result, format] = each;
    let [tool_text, format_text] = text;
    Rule {
        names,
        encoding: None,
        media,
        patches: [0, 162],
        base,
        turn,
        said: 0,
        system,
        thinking,
        adaptive: 0,
        thought: 0,
        sealed: [0, 0],
        forgets: false,
        document: 0,
        cited: 0,
        unsaid: 0,
        tools,
        tools_chat: 0,
        forced,
        tool,
        call,
        result,
        format,
        tool_text,
        format_text,
        weights,
    }
}

const fn exact(names: &'static str, encoding: Encoding, media: Media, once: [u16; 2], each: [u8; 8]) -> Rule {
    let mut rule = rule(names, media, once, each, [100, 85], &families::OTHER);
    rule.encoding = Some(encoding);
    // From gpt-5 on a chat call with tools has so many tokens more than the same call to the Responses API.
    if let (2, OpenAi) = (rule.base, media) {
        rule.tools_chat = 82;
        rule.sealed = [700, 14];
    }
    rule
}

use Encoding::{Cl100k, O200k};
use Media::{Anthropic, AnthropicLarge, Gemini, Gemini3, Gemini25, Generic, Llama4, Nova, OpenAi, Pixtral};

/// The first that fits. Fitted to half of the recorded calls, or to published templates where there are few; towards too much.
static RULES: &[Rule] = &[
    // Exact: 3 + Σ(3 + role + content), the constant 2 from o1 and gpt-5 on.
    exact("gpt-oss", O200k, Generic, [66, 12], [5, 5, 0, 5, 10, 2, 4, 72]),
    Rule {
        unsaid: 216,
        ..exact("gpt-4o chatgpt-4o gpt-4.1 gpt-4.5", O200k, OpenAi, [3, 9], [4, 4, 0, 0, 0, 3, 4, 10])
    },
    Rule { said: 2, patches: [120, 120], ..exact("bedrock/gpt-5", O200k, OpenAi, [2, 14], [4, 4, 0, 0, 0, 7, 7, 24]) },
    Rule { said: 2, patches: [120, 120], ..exact("gpt-5.5", O200k, OpenAi, [2, 8], [4, 4, 0, 0, 0, 7, 7, 24]) },
    Rule {
        said: 2,
        patches: [120, 120],
        ..exact("gpt-5.4 gpt-5.6 gpt-6", O200k, OpenAi, [2, 8], [4, 4, 0, 0, 0, 7, 7, 10])
    },
    Rule { said: 2, patches: [0, 120], ..exact("gpt-5", O200k, OpenAi, [2, 8], [4, 4, 0, 0, 0, 7, 7, 10]) },
    exact("o1-", O200k, OpenAi, [2, 8], [8, 8, 0, 0, 0, 7, 7, 10]),
    Rule {
        unsaid: 59,
        patches: [0, 172],
        ..exact("o1 o3 o4 codex computer-use", O200k, OpenAi, [2, 8], [4, 4, 0, 0, 0, 7, 7, 10])
    },
    exact("gpt-4 gpt-3.5 gpt-35 text-embedding", Cl100k, OpenAi, [3, 9], [4, 4, 0, 0, 0, 3, 4, 10]),
    Rule {
        thought: 100,
        document: 33,
        cited: 832,
        adaptive: 3,
        ..rule(
            "opus-4-7 opus-4-8 opus-4-9 opus-4.7 opus-4.8 opus-4.9 \
opus-5 sonnet-5 haiku-5 fable mythos",
            AnthropicLarge,
            [4, 370],
            [3, 1, 3, 90, 1, 12, 32, 111],
            [107, 140],
            &families::CLAUDE_4_7,
        )
    },
    Rule {
        document: 33,
        cited: 527,
        adaptive: 14,
        ..rule(
            "sonnet-4-5 sonnet-4-6 sonnet-4.5 sonnet-4.6 haiku-4 \
opus-4-5 opus-4-6 opus-4.5 opus-4.6",
            Anthropic,
            [5, 480],
            [3, 1, 28, 112, 22, 0, 51, 111],
            [103, 140],
            &families::CLAUDE,
        )
    },
    Rule {
        document: 33,
        cited: 527,
        ..rule(
            "claude-3-7 claude-3.7 claude-3-5-sonnet claude-3.5-sonnet sonnet-4 opus-4",
            Anthropic,
            [5, 300],
            [3, 1, 28, 0, 25, 12, 50, 111],
            [95, 140],
            &families::CLAUDE,
        )
    },
    rule("claude-3-opus", Anthropic, [5, 530], [3, 1, 28, 0, 31, 12, 50, 111], [80, 140], &families::CLAUDE),
    rule("claude", Anthropic, [5, 264], [3, 1, 28, 76, 31, 12, 50, 111], [80, 140], &families::CLAUDE),
    rule("gemini-2.0 gemini-1 gemma", Gemini, [0, 0], [0, 0, 0, 0, 3, 0, 0, 0], [30, 0], &families::GEMINI),
    // Vertex AI counts less of tools, and of the first of these models nothing that is sealed.
    rule("vertex/gemini-3-", Gemini3, [0, 0], [0, 0, 0, 0, 0, 0, 0, 0], [15, 0], &families::GEMINI),
    rule("vertex/gemini-2", Gemini, [0, 0], [0, 0, 0, 0, 0, 0, 6, 0], [82, 0], &families::GEMINI),
    Rule {
        sealed: [44, 20],
        ..rule("vertex/gemini", Gemini3, [0, 0], [0, 0, 0, 0, 0, 0, 6, 0], [82, 0], &families::GEMINI)
    },
    rule("openrouter/gemini-2.5", Gemini25, [0, 0], [0, 0, 0, 5, 0, 0, 46, 0], [119, 0], &families::GEMINI),
    Rule {
        thought: 100,
        sealed: [44, 15],
        forgets: true,
        ..rule("gemini-2.5", Gemini25, [1, 1], [0, 1, 0, 0, 8, 0, 20, 0], [90, 0], &families::GEMINI)
    },
    Rule {
        sealed: [44, 21],
        forgets: true,
        ..rule("gemini-3-", Gemini3, [1, 4], [0, 1, 0, 5, 2, 0, 6, 0], [110, 0], &families::GEMINI)
    },
    Rule { sealed: [44, 21], ..rule("gemini", Gemini3, [1, 4], [0, 1, 0, 5, 2, 0, 6, 0], [110, 0], &families::GEMINI) },
    // Bedrock's.
    rule("meta.llama4", Llama4, [6, 110], [4, 4, 0, 0, 5, 15, 15, 0], [100, 0], &families::LLAMA_4),
    rule("llama-4 llama4", Llama4, [6, 660], [4, 4, 0, 0, 5, 10, 10, 0], [100, 0], &families::LLAMA_4),
    rule("llama-2 llama2", Generic, [2, 250], [8, 6, 0, 0, 15, 12, 12, 0], [115, 0], &families::MISTRAL_V3),
    rule(
        "ollama/llama3.2 ollama/llama3.3",
        Generic,
        [20, 85],
        [5, 0, 0, 0, 5, 10, 10, 0],
        [100, 0],
        &families::LLAMA_3,
    ),
    // Told when its knowledge ends before the call begins.
    rule(
        "llama-3. llama3. llama3-1 llama3-2 llama3-3 llama-3-1 llama-3-2 llama-3-3",
        Generic,
        [30, 100],
        [5, 0, 0, 0, 5, 10, 10, 0],
        [130, 0],
        &families::LLAMA_3,
    ),
    // Told what is not safe.
    rule("llama-guard", Generic, [165, 100], [5, 5, 0, 0, 5, 10, 10, 0], [130, 0], &families::LLAMA_3),
    rule("llama", Generic, [5, 100], [5, 5, 0, 0, 5, 10, 10, 0], [130, 0], &families::LLAMA_3),
    rule("nova-2", Nova, [5, 855], [3, 3, 0, 0, 8, 12, 12, 0], [120, 0], &families::COMMON),
    Rule { said: 6, ..rule("nova", Nova, [0, 350], [0, 1, 0, 75, 30, 0, 32, 0], [60, 0], &families::COMMON) },
    rule(
        "mixtral mistral-7b mistral-large-24 pixtral-large codestral-24",
        Pixtral,
        [5, 0],
        [4, 2, 0, 0, 26, 8, 4, 0],
        [115, 0],
        &families::MISTRAL_V3,
    ),
    // The small ones are told more before the call begins.
    Rule {
        thought: 100,
        ..rule("mistral-small magistral", Generic, [13, 0], [2, 2, 0, 0, 26, 5, 3, 0], [105, 0], &families::MISTRAL)
    },
    rule("pixtral", Pixtral, [2, 0], [2, 2, 0, 0, 26, 5, 3, 0], [105, 0], &families::MISTRAL),
    rule(
        "mistral ministral codestral devstral",
        Generic,
        [2, 0],
        [2, 2, 0, 0, 26, 5, 3, 0],
        [105, 0],
        &families::MISTRAL,
    ),
    // Told to think as much as it can in the Responses API, and in chats that ask for it.
    Rule {
        unsaid: 78,
        ..rule("deepseek-v4", Generic, [3, 235], [2, 0, 0, 0, 6, 25, 25, 0], [130, 0], &families::DEEPSEEK)
    },
    rule("deepseek", Generic, [3, 160], [2, 1, 0, 0, 20, 35, 25, 0], [130, 0], &families::DEEPSEEK),
    rule("qwen-3-coder qwen3-coder", Generic, [4, 240], [5, 5, 0, 0, 0, 15, 8, 0], [110, 0], &families::QWEN),
    // Those before Qwen 3 are told who they are where nothing else is said.
    Rule { unsaid: 22, ..rule("qwen", Generic, [3, 90], [5, 5, 0, 0, 15, 20, 8, 0], [105, 0], &families::QWEN) },
    rule("command-r7b", Generic, [490, 910], [5, 25, 0, 0, 10, 25, 25, 0], [130, 0], &families::COMMON),
    // What reasons is told more of it.
    Rule {
        thought: 100,
        ..rule("command-a-reasoning", Generic, [1330, 660], [5, 4, 0, 0, 10, 25, 25, 0], [130, 0], &families::COMMON)
    },
    rule(
        "command-a command-r-08 command-r-plus-08",
        Generic,
        [195, 660],
        [5, 4, 0, 0, 10, 25, 25, 0],
        [130, 0],
        &families::COMMON,
    ),
    rule("command", Generic, [62, 795], [5, 4, 0, 0, 10, 25, 25, 0], [130, 0], &families::COMMON),
    rule("openrouter/glm-4", Generic, [5, 110], [4, 2, 0, 0, 10, 15, 8, 0], [110, 0], &families::COMMON),
    Rule { thought: 60, ..rule("glm-5", Generic, [9, 110], [4, 2, 0, 0, 10, 15, 8, 0], [110, 0], &families::COMMON) },
    Rule { thought: 60, ..rule("glm", Generic, [1, 110], [4, 2, 0, 0, 10, 15, 8, 0], [110, 0], &families::COMMON) },
    rule("nemotron", Generic, [10, 190], [5, 4, 0, 0, 15, 20, 15, 0], [115, 0], &families::COMMON),
    rule("kimi", Generic, [2, 30], [6, 4, 0, 0, 15, 10, 10, 0], [140, 0], &families::COMMON),
];

/// A name that says nothing.
static OTHER: Rule = rule("", Generic, [10, 100], [5, 4, 32, 0, 15, 20, 15, 0], [115, 0], &families::OTHER);
