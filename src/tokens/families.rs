//! What the tokens of a text in `o200k_base` come to in other families, by kind: hundredths, in the order of `weigh::Kind`.
//!
//! Fitted to some 4,000 texts in ninety languages and twenty forms (documents, code, JSON, logs, numbers, lists of words), counted with
//! each family's own vocabulary or, for Claude, a reconstruction that agrees with every recorded call; so that nine of ten come to
//! no more. `tests/tokens/README.md` says how, and holds other texts.

pub use super::weigh::Weights;

/// Claude up to 4.6.
pub static CLAUDE: Weights = [
    101, 160, 18, 80, 3, 43, 92, 100, 0, 80, 27, 109, 77, 21, 201, 154, 182, 218, 208, 259, 270, 55, 0, 66, 27, 245,
    230,
];

/// Claude from Opus 4.7 on.
pub static CLAUDE_4_7: Weights = [
    122, 191, 136, 71, 32, 132, 48, 100, 0, 32, 65, 100, 77, 25, 201, 156, 191, 221, 207, 257, 271, 60, 2, 68, 26, 223,
    228,
];

/// Gemini and Gemma.
pub static GEMINI: Weights =
    [104, 100, 0, 100, 3, 12, 7, 0, 100, 91, 13, 137, 109, 0, 111, 111, 125, 114, 85, 92, 145, 63, 29, 66, 8, 3, 91];

pub static LLAMA_3: Weights =
    [101, 134, 0, 0, 5, 8, 73, 100, 0, 95, 0, 101, 114, 9, 113, 149, 280, 138, 164, 145, 457, 106, 97, 109, 1, 0, 138];

pub static LLAMA_4: Weights =
    [103, 109, 0, 0, 0, 0, 14, 100, 0, 102, 0, 108, 102, 0, 102, 100, 126, 126, 112, 95, 225, 87, 71, 87, 2, 8, 113];

/// Mistral with the vocabulary "tekken".
pub static MISTRAL: Weights =
    [100, 128, 24, 0, 0, 0, 76, 0, 100, 84, 12, 100, 92, 4, 109, 126, 117, 99, 122, 154, 135, 100, 56, 72, 8, 19, 171];

/// Mistral with the older ones, of 32,768 tokens.
pub static MISTRAL_V3: Weights = [
    103, 161, 3, 71, 9, 88, 75, 0, 100, 55, 35, 138, 88, 28, 308, 159, 261, 321, 310, 274, 390, 72, 51, 81, 23, 263,
    152,
];

pub static QWEN: Weights =
    [102, 136, 0, 0, 5, 5, 75, 0, 100, 96, 0, 102, 124, 6, 276, 154, 102, 192, 292, 178, 337, 101, 95, 118, 0, 73, 137];

pub static DEEPSEEK: Weights = [
    102, 129, 0, 14, 0, 30, 59, 100, 0, 80, 15, 102, 127, 7, 136, 132, 130, 127, 192, 115, 210, 76, 87, 105, 5, 78, 127,
];

/// None is published: towards the most of those above.
pub static OTHER: Weights = [
    101, 135, 30, 45, 4, 30, 70, 0, 100, 85, 18, 110, 115, 12, 180, 150, 180, 180, 230, 165, 330, 95, 75, 95, 8, 70,
    150,
];

/// The same of words of ASCII as families with large vocabularies.
pub static COMMON: Weights =
    [102, 136, 0, 0, 5, 5, 75, 0, 100, 96, 0, 110, 115, 12, 180, 150, 180, 180, 230, 165, 330, 95, 75, 95, 8, 70, 150];
