#![expect(clippy::arithmetic_side_effects, reason = "numbers that the tests themselves chose")]

use super::count::Measured;
use super::{
    Budget, Count, Counter, Encoding, Model, Prompt, count, count_within, fuzz_tokens, image, merge, pieces, tools,
    window,
};
use crate::chat::{Part, Request, Role, Source, Tool, ToolChoice, Turn};
use crate::json::raw;

const BOTH: [Encoding; 2] = [Encoding::O200k, Encoding::Cl100k];

/// Numbers that are the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const ATOMS: &[&str] = &[
    "a",
    "b",
    "A",
    "The",
    "the",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    "1",
    "22",
    "4444",
    "٣",
    "Ⅷ",
    "'",
    "'s",
    "'S",
    "'re",
    "'LL",
    "'ſ",
    "!",
    "!!",
    "/",
    "//",
    "\n/",
    "-",
    "é",
    "É",
    "ß",
    "ǅ",
    "ʰ",
    "中",
    "日本",
    "の",
    "한국어",
    "ا",
    "\u{301}",
    "\u{903}",
    "\u{a0}",
    "\u{3000}",
    "\u{85}",
    "👍",
    "👩‍💻",
    "\u{0}",
    "<|endoftext|>",
    "{\"",
    "\":",
    "http://",
    "camelCase",
    "HTMLParser",
    "ไทย",
    "हिन्दी",
    "Ж",
    "ж",
    "𝒜",
    "𐐀",
    "\u{10ffff}",
    "qzxjvkwp",
];

fn texts(number: usize, atoms: usize) -> impl Iterator<Item = String> {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    (0..number).map(move |_| (0..=random.below(atoms)).map(|_| random.pick(ATOMS)).collect())
}

fn cut(encoding: Encoding, text: &str) -> Vec<&str> {
    let mut at = 0;
    let mut found = Vec::new();
    while at < text.len() {
        let end = pieces::end(encoding, text.as_bytes(), at);
        found.push(&text[at..end]);
        at = end;
    }
    found
}

#[test]
fn a_text_is_cut_as_the_patterns_say() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("don't", &["don't"], &["don", "'t"]),
        ("DON'T I'Ll x'ſy", &["DON'T", " I'Ll", " x'ſ", "y"], &["DON", "'T", " I", "'Ll", " x", "'ſ", "y"]),
        ("helloWorld ABCdef", &["hello", "World", " ABCdef"], &["helloWorld", " ABCdef"]),
        ("中ABC 中ABCd", &["中", "ABC", " 中ABCd"], &["中ABC", " 中ABCd"]),
        ("12345 1", &["123", "45", " ", "1"], &["123", "45", " ", "1"]),
        ("a  b", &["a", " ", " b"], &["a", " ", " b"]),
        ("a   \n  b", &["a", "   \n", " ", " b"], &["a", "   \n", " ", " b"]),
        // Cut differently by the two: white space that ends the text.
        ("a\n  ", &["a", "\n", "  "], &["a", "\n  "]),
        ("!!\n/\n x", &["!!\n/\n", " x"], &["!!\n", "/\n", " x"]),
        ("\u{301}AB", &["\u{301}", "AB"], &["\u{301}AB"]),
        ("a\u{301}b", &["a\u{301}b"], &["a", "\u{301}b"]),
        (" !x", &[" !", "x"], &[" !", "x"]),
        ("\u{a0}x \u{3000}", &["\u{a0}x", " \u{3000}"], &["\u{a0}x", " \u{3000}"]),
        ("<|endoftext|>", &["<|", "endoftext", "|>"], &["<|", "endoftext", "|>"]),
    ];
    for (text, o200k, cl100k) in cases {
        assert_eq!(cut(Encoding::O200k, text), *o200k);
        assert_eq!(cut(Encoding::Cl100k, text), *cl100k);
    }
}

#[test]
fn many_pieces_at_once_end_where_the_patterns_say() {
    const PARTS: &[&str] = &[
        "a",
        "b",
        "zebra",
        "Z",
        "ABC",
        "McDonald",
        "internationalisation",
        " ",
        "  ",
        "      ",
        "'",
        "'s",
        "'ll",
        "\t",
        "\t\t",
        "(",
        "@",
        "[",
        "`",
        "{",
        "!=",
        "é",
        "中",
        "\u{301}",
        "1",
        "22",
        "4096",
        "314159265358979",
        "\n",
        "\n\n",
        "\r\n",
        "ſ",
        "_",
        "/",
        "//",
        "\0",
        "\x0B",
        "\x7F",
    ];
    let mut random = Random(0x5DEE_CE66);
    let mut found = 0;
    for _ in 0..30_000 {
        // Now of a few of them, now of all.
        let (first, some) = (random.below(PARTS.len()), 1 + random.below(PARTS.len()));
        let text: String = (0..random.below(60)).map(|_| PARTS[(first + random.below(some)) % PARTS.len()]).collect();
        for encoding in BOTH {
            let mut at = 0;
            while at < text.len() {
                let slow = pieces::end(encoding, text.as_bytes(), at);
                let (mut ends, mut from) = (window::ends(encoding, text.as_bytes(), at), at);
                while ends != 0 {
                    let end = at + ends.trailing_zeros() as usize;
                    assert_eq!(end, pieces::end(encoding, text.as_bytes(), from), "{encoding:?} {from} {text:?}");
                    (from, ends, found) = (end, ends & (ends - 1), found + 1);
                }
                at = slow;
            }
        }
    }
    assert!(found > 1_000_000, "{found}");
}

#[test]
fn ordinary_text_is_cut_many_pieces_at_once() {
    let text = include_str!("../../docs/limits.md").as_bytes();
    for encoding in BOTH {
        let (mut at, mut windows, mut pieces) = (0, 0, 0);
        while at < text.len() {
            let ends = window::ends(encoding, text, at);
            (windows, pieces) = (windows + 1, pieces + ends.count_ones().max(1));
            at = ends.checked_ilog2().map_or_else(|| pieces::end(encoding, text, at), |last| at + last as usize);
        }
        assert!(pieces > 8 * windows, "{encoding:?}: {pieces} in {windows}");
    }
}

/// What the pieces of a text come to, each by itself from the tables.
fn by_the_tables(encoding: Encoding, text: &str) -> u64 {
    let one = |piece: &&str| match super::vocabulary::rank(encoding, piece.as_bytes(), 0, piece.len()) {
        super::vocabulary::NONE if piece.len() > 1 => merge::tokens(encoding, piece.as_bytes(), 0, piece.len()),
        _ => 1,
    };
    cut(encoding, text).iter().map(one).sum()
}

#[test]
fn what_was_met_before_changes_no_count() {
    let text: String = texts(400, 60).collect();
    for _ in 0..2 {
        for encoding in BOTH {
            // Some of what it meets it can no longer pay for.
            for budget in (0..20_000).step_by(500) {
                count_within(encoding, &text, &mut Budget::new(budget));
            }
            assert_eq!(count(encoding, &text), by_the_tables(encoding, &text));
        }
    }
    for unit in ["\0", "\0\0", "a\0b\0", "abcdefghijklmnopqrstuvwxyz", " qzxjvkwpfghbdmcl"] {
        let text: String = (1..unit.len().max(20))
            .map(|n| unit.chars().cycle().take(n).chain("\n1".chars()).collect::<String>())
            .collect();
        for encoding in BOTH {
            assert_eq!(count(encoding, &text), by_the_tables(encoding, &text), "{unit:?}");
        }
    }
}

#[test]
fn pieces_are_the_text_again() {
    for text in texts(2000, 40) {
        for encoding in BOTH {
            assert_eq!(cut(encoding, &text).concat(), text);
        }
    }
}

#[test]
fn what_holds_of_any_text_holds() {
    texts(300, 60).for_each(|text| fuzz_tokens(&text));
    for unit in ["a", " ", "\n", "中", "ab", "👍", "=", "aЖ", "\u{301}", "qz", "a\u{301}", "'s", "/\n"] {
        fuzz_tokens(&unit.repeat(20_000 / unit.len()));
    }
}

/// The merging of the definition: all pairs are looked through each time.
fn merged_slowly(encoding: Encoding, piece: &str) -> u64 {
    let mut ends: Vec<usize> = (0..=piece.len()).collect();
    loop {
        let rank = |w: &[usize]| super::vocabulary::rank(encoding, piece.as_bytes(), w[0], w[2] - w[0]);
        let least = ends.windows(3).map(rank).enumerate().min_by_key(|(_, rank)| *rank);
        match least {
            Some((at, rank)) if rank != super::vocabulary::NONE => ends.remove(at + 1),
            _ => return ends.len() as u64 - 1,
        };
    }
}

#[test]
fn every_way_of_merging_gives_the_same() {
    let mut random = Random(77);
    for len in (1..=20).chain([47, 48, 63, 64, 65, 100, 1023, 1024, 1025, 1500]) {
        for letters in ["ab", "etaoin shrdlu", "qzxj", "中国人民"] {
            let letters: Vec<char> = letters.chars().collect();
            let mut piece = String::new();
            while piece.len() < len {
                piece.push(letters[random.below(letters.len())]);
            }
            for encoding in BOTH {
                let merged = merge::tokens(encoding, piece.as_bytes(), 0, piece.len());
                assert_eq!(merged, merged_slowly(encoding, &piece), "{encoding:?} {piece}");
            }
        }
    }
}

#[test]
fn a_count_that_the_budget_does_not_reach_is_bounded_and_near() {
    let text = "The quick brown fox jumps over the lazy dog, 42 times. ".repeat(20_000);
    let whole = count(Encoding::O200k, &text);
    let mut budget = Budget::CALL;
    let within = count_within(Encoding::O200k, &text, &mut budget);
    assert!(matches!(within, Count::Estimate { .. }));
    assert!(within.likely().abs_diff(whole) * 20 < whole, "{within:?} {whole}");
    assert!(within.upper() >= whole && within.upper() <= text.len() as u64);
    // What is left says that hardly any more work is done.
    let again = count_within(Encoding::O200k, &text, &mut budget);
    assert!(again.upper() >= whole);
    assert_eq!(count_within(Encoding::O200k, "", &mut Budget::new(0)), Count::Exact(0));
}

#[test]
fn a_piece_that_no_budget_reaches_is_not_read_to_its_end() {
    for unit in ["a", " ", "A", "=", "\u{301}", "\n", "1"] {
        let text = unit.repeat(8 << 20);
        for encoding in BOTH {
            let within = count_within(encoding, &text, &mut Budget::new(10_000));
            assert!(within.likely() > 0 && within.upper() <= text.len() as u64, "{unit:?}");
        }
    }
}

#[test]
fn a_sum_is_exact_only_if_all_of_it_is() {
    let about = Count::estimate(3, 2);
    assert_eq!(about, Count::Estimate { likely: 3, upper: 3 });
    assert_eq!(Count::Exact(1).plus(Count::Exact(2)), Count::Exact(3));
    assert_eq!(Count::Exact(1).plus(about), Count::Estimate { likely: 4, upper: 4 });
    let weighed = Measured::<u64>::of(Encoding::O200k, "two words", &mut Budget::CALL.clone());
    assert_eq!(weighed.count(100, |tokens| tokens * 150), Count::Exact(300));
}

#[test]
fn names_find_their_rules() {
    for (name, encoding) in [
        ("gpt-4o-mini-2024-07-18", Some(Encoding::O200k)),
        ("openai/gpt-4.1", Some(Encoding::O200k)),
        ("ft:gpt-4o-mini:acme::1", Some(Encoding::O200k)),
        ("o3-mini", Some(Encoding::O200k)),
        ("openai.gpt-5.6-luna", Some(Encoding::O200k)),
        ("GPT-4-turbo", Some(Encoding::Cl100k)),
        ("gpt-35-turbo", Some(Encoding::Cl100k)),
        ("text-embedding-3-small", Some(Encoding::Cl100k)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        ("gemini-2.5-flash", None),
        ("foo1-bar", None),
        ("", None),
    ] {
        assert_eq!(Model::named(name).encoding(), encoding, "{name}");
    }
    let first = |name: &str| Model::named(name).rule.names;
    assert_eq!(first("anthropic/claude-opus-4.6"), first("claude-sonnet-4-5"));
    assert_ne!(first("claude-opus-4-8"), first("claude-opus-4-5"));
    assert_eq!(first("meta.llama3-2-1b-instruct-v1:0"), first("llama-3.3-70b-versatile"));
    // Some count otherwise at one provider; its kind is no part of the name.
    let at = |kind: &str, name: &str| Model::at(kind, name).rule.names;
    assert_ne!(at("vertex", "gemini-3.5-flash"), at("gemini", "gemini-3.5-flash"));
    assert_eq!(at("gemini", "gemini-3.5-flash"), first("gemini-3.5-flash"));
    assert_eq!(at("llamacpp", "qwen3-8b"), first("qwen3-8b"));
    assert_eq!(at("vertex", "claude-opus-4-6"), first("claude-opus-4-6"));
    assert_ne!(at("ollama", "llama3.2:3b"), first("llama3.2:3b"));
    assert_ne!(first("meta-llama/Llama-Guard-3-8B"), first("llama-3.1-8b"));
    assert_eq!(first("meta-llama/Llama-Guard-3-8B"), first("llama-guard3:1b"));
    assert_ne!(first("anthropic.claude-3-opus-20240229-v1:0"), first("claude-3-haiku-20240307"));
}

/// What is in no message: a list of what is not safe, words around tools, words that only the Responses API adds.
#[test]
fn what_servers_of_a_model_write_before_a_call_is_reserved() {
    let mut hello = asked(vec![Part::text("hello")]);
    assert!(prompt(&hello, "llama-guard3:1b").likely() > prompt(&hello, "llama3-8b-8192").likely() + 150);
    let deepseek = Model::named("deepseek-v4-flash");
    let [chat, response] =
        [deepseek, deepseek.in_responses()].map(|model| super::prompt(&hello, model, &mut Budget::CALL.clone()));
    assert!((75..85).contains(&(response.likely() - chat.likely())), "{chat:?} {response:?}");
    assert!(chat.upper() >= response.likely(), "a chat may ask for it");
    let tool = |n: usize| Tool {
        name: format!("now_{n}"),
        description: None,
        schema: Some(raw(r#"{"type":"object"}"#)),
        strict: None,
        cache: None,
        vendor: None,
    };
    hello.tools = vec![tool(0)];
    assert!(prompt(&hello, "llama3-70b-8192").upper() > 730, "{:?}", prompt(&hello, "llama3-70b-8192"));
    let one = prompt(&hello, "claude-sonnet-4-5").likely();
    hello.tools = (0..20).map(tool).collect();
    assert!(prompt(&hello, "claude-sonnet-4-5").likely() > one + 19 * 20, "each tool has words around it");
    let free = prompt(&hello, "claude-3-5-haiku-20241022").likely();
    hello.tool_choice = Some(ToolChoice::Required);
    assert_eq!(prompt(&hello, "claude-3-5-haiku-20241022").likely(), free + 76);
}

fn asked(parts: Vec<Part>) -> Request {
    Request { turns: vec![Turn { role: Role::User, name: None, parts }], ..Request::default() }
}

fn prompt(request: &Request, model: &str) -> Count {
    super::prompt(request, Model::named(model), &mut Budget::CALL.clone())
}

#[test]
fn plain_chat_is_exact() {
    let hello = asked(vec![Part::text("Hello, world!")]);
    assert_eq!(prompt(&hello, "gpt-4o"), Count::Exact(3 + 4 + 4));
    assert_eq!(prompt(&hello, "gpt-5-mini"), Count::Exact(2 + 4 + 4));
    assert!(matches!(prompt(&hello, "claude-sonnet-4-5"), Count::Estimate { .. }));
}

/// What nobody counted would pass a limit unseen.
#[test]
fn every_text_that_a_model_may_read_is_in_the_bound() {
    let text = "lorem ipsum ".repeat(100);
    let raw = |text: &str| crate::json::raw(serde_json::to_string(text).unwrap());
    let hi = || asked(vec![Part::text("hi")]);
    let named = |name: &str, text: &str| vec![(name.to_owned(), raw(text))];
    let tool = |vendor: Option<&str>| crate::chat::Tool {
        name: "t".to_owned(),
        description: None,
        schema: Some(raw(&text)),
        strict: None,
        cache: None,
        vendor: vendor.map(str::to_owned),
    };
    let document = |name: Option<&str>, context: Option<&str>| Part::Document {
        source: Source::Text("hi".to_owned()),
        name: name.map(str::to_owned),
        context: context.map(str::to_owned),
        citations: None,
        cache: None,
    };
    for model in ["gpt-4o", "gpt-3.5-turbo", "claude-sonnet-4-5", "gemini-2.5-flash", "other"] {
        let count = |request: &Request| prompt(request, model);
        let least = count(&asked(vec![Part::text(text.as_str())])).upper() - 20;
        for (what, request) in [
            ("member", Request { extra: named("documents", &text), ..hi() }),
            ("tool of the vendor's", Request { tools: vec![tool(Some("custom"))], ..hi() }),
            ("title", asked(vec![document(Some(&text), None)])),
            ("context", asked(vec![document(None, Some(&text))])),
        ] {
            assert!(count(&request).upper() >= least, "{model} {what}: {:?}", count(&request));
        }
        // Flags and identifiers change nothing.
        assert_eq!(count(&Request { extra: named("store", "yes"), ..hi() }), count(&hi()), "{model}");
        // A film of which only the address is known.
        let film = Part::Other { kind: "fileData".to_owned(), raw: raw("gs://film") };
        assert!(count(&asked(vec![film])).upper() > 50_000, "{model}");
    }
}

/// The first bytes of an image, in base64.
/// With room for what is looked at.
fn base64(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(36), 0);
    crate::base64::encode(&bytes)
}

fn png(width: u32, height: u32) -> String {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    base64(&bytes)
}

#[test]
fn the_size_of_an_image_is_read_from_its_header() {
    let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xff\xc2\0\x11\x08\x01\x02\x03\x04";
    let gif = b"GIF89a\x40\x01\xf0\0";
    let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x20\x03\x58\x42";
    let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x3f\xc1\x2b\0";
    let extended = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\xff\x03\0\xff\x01\0";
    assert_eq!(image::size(&png(800, 600)), Some((800, 600)));
    assert_eq!(image::size(&base64(jpeg)), Some((0x304, 0x102)));
    assert_eq!(image::size(&base64(gif)), Some((320, 240)));
    assert_eq!(image::size(&base64(lossy)), Some((800, 600)));
    assert_eq!(image::size(&base64(lossless)), Some((320, 176)));
    assert_eq!(image::size(&base64(extended)), Some((1024, 512)));
    for odd in ["", "AAAA", "!!!!", &png(0, 5), &base64(b"\xff\xd8\0\0"), &base64(b"RIFF\0\0\0\0WAVE")] {
        assert_eq!(image::size(odd), None, "{odd}");
    }
    // A JPEG that only ever has another segment ends.
    let endless = base64(&[&b"\xff\xd8"[..], &b"\xff\xe0\0\x02".repeat(100_000)].concat());
    assert_eq!(image::size(&endless), None);
}

#[test]
fn images_come_to_what_vendors_publish() {
    let shown = |width, height, detail: Option<&str>, model: &str| {
        let source = Source::Base64 { media_type: "image/png".to_owned(), data: png(width, height) };
        super::media::image(Model::named(model), &source, detail)
    };
    for (width, height, detail, model, tokens) in [
        // https://platform.openai.com/docs/guides/images-vision: 1024² is 765, 2048 × 4096 is 1105, low is 85.
        (1024, 1024, Some("high"), "gpt-4o", 765),
        (2048, 4096, Some("high"), "gpt-4o", 1105),
        (4096, 8192, Some("low"), "gpt-4o", 85),
        (1024, 1024, None, "gpt-4o-mini", 2833 + 4 * 5667),
        (1024, 1024, None, "gpt-4.1-nano", 2520),
        // https://docs.anthropic.com/en/docs/build-with-claude/vision: 200² is 54, 1000² is 1334.
        (200, 200, None, "claude-sonnet-4-5", 54),
        (1000, 1000, None, "claude-sonnet-4-5", 1334),
        (8000, 8000, None, "claude-sonnet-4-5", 1600),
        (8000, 8000, None, "claude-opus-4-8", 4784),
        (1024, 1024, None, "o3", 675),
        // https://ai.google.dev/gemini-api/docs/tokens: 258 up to 384 pixels, and for each tile.
        (384, 384, None, "gemini-2.0-flash", 258),
        // And, as recorded, for the whole of what is cut.
        (960, 540, None, "gemini-2.0-flash", 7 * 258),
        (960, 540, None, "gemini-2.5-flash", 258),
    ] {
        assert_eq!(shown(width, height, detail, model).likely(), tokens, "{model} {width} × {height}");
    }
    assert!(shown(50, 65, None, "qwen3-vl-8b-instruct").upper() >= 270, "small images are scaled up");
    let unknown = Source::Url("https://example.com/a.png".to_owned());
    for model in [
        "gpt-4o",
        "gpt-4.1-nano",
        "claude-3-opus",
        "claude-opus-5",
        "gemini-2.0-flash",
        "gemini-2.5-pro",
        "gemini-3-pro",
        "llama-4",
    ] {
        let unknown = super::media::image(Model::named(model), &unknown, None);
        for (width, height) in [(1, 1), (1, 60_000), (60_000, 1), (3072, 300), (u32::MAX, u32::MAX), (700, 700)] {
            assert!(shown(width, height, None, model).upper() <= unknown.upper(), "{model} {width} × {height}");
        }
    }
}

/// What is behind a signature, instructions that are empty, a document to be cited: each is more than its text.
#[test]
fn what_a_provider_reads_or_adds_beyond_the_text_is_counted() {
    let sealed = |name: &str, thought: &str| {
        let thinking = Part::Thinking { text: thought.to_owned(), signature: Some("x".repeat(2_000)) };
        let mut request = asked(vec![Part::text("hi")]);
        request.turns.push(Turn { role: Role::Assistant, name: None, parts: vec![thinking] });
        prompt(&request, name)
    };
    for name in ["gemini-3-flash", "gpt-5"] {
        assert!(sealed(name, "").likely() > prompt(&asked(vec![Part::text("hi")]), name).likely() + 150, "{name}");
    }
    assert!(sealed("claude-opus-4-5", "").likely() < 20 && sealed("claude-opus-4-5", "").upper() > 600);
    assert!(sealed("claude-opus-5", &"so be it ".repeat(50)).likely() > 150);
    let told = |text: &str| {
        let mut request = asked(vec![Part::text("hi")]);
        request.turns.insert(0, Turn { role: Role::System, name: None, parts: vec![Part::text(text)] });
        super::prompt(&request, Model::named("gpt-4o").in_responses(), &mut Budget::CALL.clone()).likely()
    };
    assert_eq!(told("") - told("Yes"), 216 - 1);
    let cited = |citations| {
        let source = Source::Text("hi".to_owned());
        asked(vec![Part::Document { source, name: None, context: None, citations, cache: None }])
    };
    let [plain, cited] = [None, Some(true)].map(|citations| prompt(&cited(citations), "claude-haiku-4-5").likely());
    assert_eq!(cited - plain, 527);
}

#[test]
fn sounds_and_documents_come_to_their_length() {
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0".to_vec();
    wav.extend(16_000_u32.to_le_bytes());
    wav.resize(159_999, 0);
    let wav = base64(&wav);
    let sound = |data: &str, format: &str, model| {
        prompt(&asked(vec![Part::Audio { data: data.to_owned(), format: format.to_owned() }]), model)
    };
    assert_eq!(sound(&wav, "wav", "gemini-2.0-flash").likely(), 320);
    assert_eq!(sound(&wav, "wav", "gpt-4o-audio-preview").likely(), 3 + 4 + 100);
    assert!(sound(&base64(&[0; 160_000]), "mp3", "gpt-4o-audio-preview").upper() >= 400);
    let document = |source| Part::Document { source, name: None, context: None, citations: None, cache: None };
    let text = asked(vec![document(Source::Text("Hello, world!".to_owned()))]);
    assert_eq!(prompt(&text, "gpt-4o"), Count::Exact(3 + 4 + 4));
    let pdf = Source::Base64 { media_type: "application/pdf".to_owned(), data: base64(&[0; 120_000]) };
    let pages = prompt(&asked(vec![document(pdf)]), "gemini-2.0-flash");
    assert_eq!(pages.likely(), 3 * 258);
    assert!(pages.upper() >= 60 * 258);
    // Text is text, however it is packed; too much of it is known by its bytes.
    let words = "Hello, world! ".repeat(20_000);
    for (text, exact) in [(&words[..14 * 100], true), (&words, false)] {
        let plain = prompt(&asked(vec![document(Source::Text(text.to_owned()))]), "gpt-4o");
        let data = base64(text.as_bytes());
        let packed = Source::Base64 { media_type: "text/markdown".to_owned(), data: data.clone() };
        for packed in [packed, Source::at(&format!("data:text/csv;base64,{data}"))] {
            let packed = prompt(&asked(vec![document(packed)]), "gpt-4o");
            assert_eq!(packed.likely() == plain.likely() + 32, exact);
            assert!(packed.upper() >= plain.upper() + 64 && packed.upper() < 2 * text.len() as u64);
        }
    }
    // However it is cut: reading it costs as little.
    let files = |each: usize| {
        let file = |part: &[u8]| document(Source::Base64 { media_type: "text/plain".to_owned(), data: base64(part) });
        asked(words.as_bytes().chunks(each).map(file).collect())
    };
    for model in ["gpt-4o", "claude-sonnet-4-5"] {
        let (few, many) = (prompt(&files(100_000), model), prompt(&files(1_000), model));
        for files in [few, many] {
            let enough = count(Encoding::O200k, &words)..2 * words.len() as u64;
            assert!(enough.contains(&files.upper()), "{model} {files:?}");
        }
        let read = super::Prompt::shared(&files(1_000)).count(Model::named(model), &mut Budget::CALL.clone());
        assert_eq!(read, many, "{model}");
    }
    let page = || document(Source::Base64 { media_type: "application/pdf".to_owned(), data: base64(&[0; 9_000]) });
    let brought = Part::ToolResult { id: "1".to_owned(), parts: vec![page()], is_error: false, cache: None };
    let words = document(Source::Text("Hello, world!".to_owned()));
    let told = Part::ToolResult { id: "1".to_owned(), parts: vec![words], is_error: false, cache: None };
    let likely = |part| prompt(&asked(vec![part]), "gemini-3-flash-preview").likely();
    assert!(likely(page()).abs_diff(560) < 16 && likely(brought).abs_diff(1120) < 24 && likely(told) < 24);
}

/// Some models are not told again what they thought before the client spoke.
#[test]
fn what_was_thought_before_is_counted_where_it_is_kept() {
    let call = Part::ToolCall {
        id: "1".to_owned(),
        name: "a".to_owned(),
        arguments: "{}".to_owned(),
        signature: Some("x".repeat(2_000)),
        cache: None,
    };
    let counted = |model, then: Option<&str>| {
        let mut request = asked(vec![Part::text("hi")]);
        request.turns.push(Turn { role: Role::Assistant, name: None, parts: vec![call.clone()] });
        let then = then.map(|text| Turn { role: Role::User, name: None, parts: vec![Part::text(text)] });
        request.turns.extend(then);
        prompt(&request, model)
    };
    for (model, kept) in [("gemini-3-flash-preview", false), ("gemini-3.6-flash", true)] {
        let (during, after) = (counted(model, None), counted(model, Some("go on")));
        assert!(during.likely() > 300, "{model}");
        assert_eq!(after.likely() > 300, kept, "{model}");
        assert!(after.upper() > 600, "{model}");
    }
}

#[test]
fn a_tool_is_written_as_a_type() {
    let schema = r#"{"type":"object","required":["city"],"properties":{"city":{"type":"string","description":"Where"},
        "unit":{"enum":["c","f"]},"days":{"type":"array","items":{"type":"integer"}},"at":{"type":"object",
        "properties":{"x":{"type":["number","null"]}}}}}"#;
    let written = |name: &str, description: Option<&str>, schema: &str| {
        let mut text = String::new();
        let bare = tools::define(&mut text, name, description, Some(schema));
        (text, bare)
    };
    let (text, bare) = written("weather", Some("Tells the weather "), schema);
    assert!(!bare);
    for part in ["// Tells the weather\ntype weather = (_: {\n", "// Where\ncity: string,\n", "unit?: \"c\" | \"f\",\n"]
    {
        assert!(text.contains(part), "{text}");
    }
    for part in ["days?: number[],\n", "x?: number | null,\n", "}) => any;\n\n"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(written("f", None, "{"), ("type f = () => any;\n\n".to_owned(), false));
    let told = r#"{"title":"Args","description":"All","properties":{"n":{"title":"N","minimum":1,"type":"integer","default":3}}}"#;
    let told = written("f", None, told);
    assert_eq!(
        told.0,
        "type f = (_: // Args\n// All\n{\n// N\n//\n// minimum: 1\nn?: number, // default: 3\n}) => any;\n\n"
    );
    assert!(!told.1 && written("f", None, r#"{"properties":{"n":{}}}"#).1);
    let meant = r##"{"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"object","properties":{"b":{"type":"string"}}}}}"##;
    assert!(written("f", None, meant).0.contains("a?: {\nb?: string,\n},\n"));
    let bomb = r##"{"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}]}}}"##;
    assert!(written("f", None, bomb).0.len() < bomb.len() * 20);
    let deep = format!("{}{}", r#"{"properties":{"a":{"anyOf":["#.repeat(30), r#"{}]}}}"#.repeat(30));
    assert!(written("f", None, &deep).0.contains("any"));
}

#[test]
fn a_stream_counts_alike_however_it_is_cut() {
    let text = "She said: \"it's 3.14159, don't\n\n\tyou know?\" Ελλάδα, 東京 2024. ".repeat(400);
    for (name, encoding) in [("gpt-4o", Encoding::O200k), ("gpt-4", Encoding::Cl100k)] {
        let whole = Count::Exact(count(encoding, &text));
        for step in [1, 2, 3, 5, 17, 300, 5000, 100_000] {
            let mut counter = Counter::new(Model::named(name));
            let letters: Vec<char> = text.chars().collect();
            for part in letters.chunks(step) {
                counter.feed(&part.iter().collect::<String>());
            }
            assert_eq!(counter.count(), whole, "{name} in steps of {step}");
        }
    }
}

#[test]
fn a_request_comes_to_the_same_for_a_model_after_others_as_by_itself() {
    let mut request = asked(vec![
        Part::text("Ελλάδα, 東京 2024: it's 3.14159 "),
        Part::text("word, ".repeat(20_000)),
        Part::text("!"),
    ]);
    let thought = Part::Thinking { text: "so be it".to_owned(), signature: None };
    request.turns.push(Turn { role: Role::Assistant, name: Some("one".to_owned()), parts: vec![thought] });
    request.turns.extend((0..300).map(|n| Turn {
        role: Role::User,
        name: None,
        parts: vec![Part::text(n.to_string())],
    }));
    let names = ["gpt-4o", "claude-sonnet-4-5", "gpt-5", "gpt-4", "gemini-2.5-pro", "unheard-of"];
    for first in 0..names.len() {
        let mut shared = Prompt::shared(&request);
        for name in names.iter().cycle().skip(first).take(names.len()) {
            let count = shared.count(Model::named(name), &mut Budget::new(100_000_000));
            assert_eq!(count, super::prompt(&request, Model::named(name), &mut Budget::new(100_000_000)), "{name}");
        }
    }
    // What was not counted for want of budget is not for the next either, and costs it nothing.
    let mut shared = Prompt::shared(&request);
    let first = shared.count(Model::named("gpt-4o"), &mut Budget::new(100_000));
    let mut left = Budget::new(100_000);
    let next = shared.count(Model::named("claude-sonnet-4-5"), &mut left);
    assert!(matches!((first, next), (Count::Estimate { .. }, Count::Estimate { .. })));
    assert!(left.left() > 90_000);
}
