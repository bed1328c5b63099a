//! What the tokens of a text in `o200k_base` come to in other families, by kind: hundredths, in the order of `weigh::Kind`.
//!
//! Fitted to some 4,000 texts in ninety languages and twenty forms (documents, code, JSON, logs, numbers, lists of words), counted with
//! each family's own vocabulary or, for Claude, a reconstruction that agrees with every recorded call; so that nine of ten come to
//! no more. `tests/tokens/README.md` says how, and holds other texts.

pub use super::weigh::Weights;

/// Claude up to 4.6.
pub static CLAUDE: Weights = [
    100, 158, 18, 79, 3, 43, 91, 100, 0, 79, 27, 108, 76, 21, 199, 152, 180, 216, 206, 256, 267, 54, 0, 65, 27, 243,
    228,
];

/// Claude from Opus 4.7 on.
pub static CLAUDE_4_7: Weights = [
    122, 190, 135, 71, 32, 131, 48, 100, 0, 32, 65, 100, 77, 25, 200, 155, 190, 220, 206, 256, 270, 60, 2, 68, 26, 222,
    227,
];

/// Gemini and Gemma.
pub static GEMINI: Weights =
    [102, 99, 0, 99, 3, 12, 7, 0, 100, 90, 13, 135, 107, 0, 109, 109, 123, 112, 84, 91, 143, 62, 29, 65, 8, 3, 90];

pub static LLAMA_3: Weights =
    [100, 132, 0, 0, 5, 8, 72, 100, 0, 94, 0, 100, 112, 9, 111, 147, 276, 136, 159, 143, 450, 104, 96, 107, 1, 0, 136];

pub static LLAMA_4: Weights =
    [100, 106, 0, 0, 0, 0, 14, 100, 0, 99, 0, 105, 99, 0, 99, 97, 122, 122, 109, 92, 218, 84, 69, 84, 2, 8, 110];

/// Mistral with the vocabulary "tekken".
pub static MISTRAL: Weights =
    [100, 127, 24, 0, 0, 0, 76, 0, 100, 84, 12, 100, 92, 4, 108, 125, 116, 99, 121, 153, 134, 100, 56, 72, 8, 19, 170];

/// Mistral with the older ones, of 32,768 tokens.
pub static MISTRAL_V3: Weights = [
    101, 158, 3, 70, 9, 86, 74, 0, 100, 54, 34, 135, 86, 27, 302, 156, 256, 315, 296, 269, 382, 71, 50, 79, 23, 258,
    149,
];

pub static QWEN: Weights =
    [100, 133, 0, 0, 5, 5, 74, 0, 100, 94, 0, 100, 122, 6, 271, 151, 100, 188, 276, 175, 330, 99, 93, 116, 0, 72, 134];

pub static DEEPSEEK: Weights = [
    100, 126, 0, 14, 0, 29, 58, 100, 0, 78, 15, 100, 124, 7, 133, 129, 127, 124, 172, 112, 205, 74, 85, 102, 5, 76, 124,
];

/// None is published: towards the most of those above.
pub static OTHER: Weights = [
    101, 135, 30, 45, 4, 30, 70, 0, 100, 85, 18, 110, 115, 12, 180, 150, 180, 180, 230, 165, 330, 95, 75, 95, 8, 70,
    150,
];
