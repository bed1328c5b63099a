use super::block::plain;
use super::*;
use crate::error::Error;
use std::borrow::Cow;
use std::ops::Range;

#[track_caller]
fn refused(body: impl AsRef<[u8]>) -> Error {
    let body = body.as_ref();
    Body::parse(body).expect_err(&String::from_utf8_lossy(body))
}

fn nested(depth: usize) -> String {
    let inner = depth.saturating_sub(1);
    format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner))
}

#[test]
fn an_object_is_read_at_its_top() {
    let body = " { \"a\" : {\"b\": [1, \"}\"]} ,\"\\u0062\\n\":null, \"é\":\"ü\" }\r\n";
    let parsed = Body::parse(body.as_bytes()).unwrap();
    let object = parsed.value();
    let members: Vec<_> = object.members().map(|(name, value)| (name.text(), value.raw())).collect();
    assert_eq!(
        members,
        [("a".into(), "{\"b\": [1, \"}\"]}"), ("b\n".into(), "null"), ("é".into(), "\"ü\"")] as [(Cow<'_, str>, _); 3]
    );
    assert_eq!(object.member("b\n").map(|v| v.raw()), Some("null"));
    assert!(object.get("b\n").is_none() && object.member("b").is_none());
    assert_eq!(&body[object.get("é").unwrap().span()], "\"ü\"");
    assert_eq!(object.whole_text(), body);
}

#[test]
fn every_form_of_a_value_is_taken() {
    let values = [
        "0",
        "-0",
        "1",
        "-12",
        "1.5",
        "0.5",
        "1e5",
        "1E+5",
        "1.25e-7",
        "-0.0e0",
        "1e308",
        "1e-999",
        "true",
        "false",
        "null",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u00e9\\uD83C\\uDF0D\\uffff\"",
        "\"\u{7f}\u{2028}🌍\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[],{}, [ 1 , 2 ]]",
        "{\"a\":1,\"a\":2}",
        "18446744073709551616",
    ];
    for value in values {
        let body = format!("{{\"v\":{value}}}");
        let object = Body::parse(body.as_bytes()).unwrap_or_else(|e| panic!("{value}: {e:?}"));
        assert_eq!(object.value().member("v").map(|v| v.raw()), Some(value));
        fuzz_object(body.as_bytes());
    }
}

#[test]
fn what_is_not_one_object_is_refused_with_the_place() {
    let cases: &[(&str, &str)] = &[
        ("", "the body is empty"),
        (" \r\n\t", "the body is empty"),
        ("[1]", "the body must be a JSON object, not an array"),
        (" \"a\"", "the body must be a JSON object, not a string"),
        ("nul", "the body must be a JSON object, not null"),
        ("-", "the body must be a JSON object, not a number"),
        ("<html>", "the body must be a JSON object, not something that is not JSON"),
        ("\u{feff}{}", "the body must be a JSON object, not something that is not JSON"),
        ("{", "the body is not valid JSON: the text ends too early at byte 1"),
        ("{} {", "the body is not valid JSON: something after the object's end at byte 3"),
        ("{}\0", "the body is not valid JSON: something after the object's end at byte 2"),
        ("{,}", "the body is not valid JSON: expected a member's name in double quotes at byte 1"),
        ("{'a':1}", "the body is not valid JSON: expected a member's name in double quotes at byte 1"),
        ("{a:1}", "the body is not valid JSON: expected a member's name in double quotes at byte 1"),
        ("{\"a\":1,}", "the body is not valid JSON: expected a member's name in double quotes at byte 7"),
        ("{\"\\ud800\":1}", "the body is not valid JSON: half of a surrogate pair at byte 2"),
        ("{\"a", "the body is not valid JSON: the text ends too early at byte 3"),
    ];
    for (body, message) in cases {
        let error = refused(body);
        assert_eq!((error.message.as_str(), error.param.clone()), (*message, None), "{body:?}");
        assert_eq!(error.status, 400);
    }
}

#[test]
fn what_is_wrong_in_a_member_is_refused_with_its_name_and_the_place() {
    let cases: &[(&str, &str, usize)] = &[
        ("", "the text ends too early", 5),
        ("}", "expected a value", 5),
        ("1 2}", "expected `,` or `}`", 7),
        ("1", "the text ends too early", 6),
        ("01}", "a number must not start with 0", 6),
        ("-}", "expected a digit", 6),
        ("1.}", "expected a digit", 7),
        (".5}", "expected a value", 5),
        ("+1}", "expected a value", 5),
        ("1e}", "expected a digit", 7),
        ("1e+}", "expected a digit", 8),
        ("1e309}", "a number out of range", 5),
        ("tru}", "expected a value", 5),
        ("True}", "expected a value", 5),
        ("NaN}", "expected a value", 5),
        ("truefalse}", "expected `,` or `}`", 9),
        ("\"a\nb\"}", "a control character in a string", 7),
        ("\"a\0b\"}", "a control character in a string", 7),
        ("\"\\x\"}", "an unknown escape in a string", 7),
        ("\"\\u12g4\"}", "`\\u` needs four hexadecimal digits", 10),
        ("\"\\ud800\"}", "half of a surrogate pair", 6),
        ("\"\\udc00\"}", "half of a surrogate pair", 6),
        ("\"\\uDFFF\"}", "half of a surrogate pair", 6),
        ("\"\\ud800\\u0041\"}", "half of a surrogate pair", 6),
        ("\"\\ud800\\ud800\"}", "half of a surrogate pair", 6),
        ("\"\\ud800\\u00\"}", "`\\u` needs four hexadecimal digits", 16),
        ("\"never ends", "the text ends too early", 16),
        ("\"never ends\\", "the text ends too early", 17),
        ("[1,]}", "expected a value", 8),
        ("[1 2]}", "expected `,` or `]`", 8),
        ("[1}", "expected `,` or `]`", 7),
        ("{\"b\":1]}", "expected `,` or `}`", 11),
        ("{\"b\" 1}}", "expected `:` after a member's name", 10),
        ("{\"b\":1,}}", "expected a member's name in double quotes", 12),
        ("{1:1}}", "expected a member's name in double quotes", 6),
        ("[", "the text ends too early", 6),
        ("/* */1}", "expected a value", 5),
    ];
    for (value, what, at) in cases {
        let body = format!("{{\"a\":{value}");
        let error = refused(&body);
        assert_eq!(error.message, format!("the body is not valid JSON: {what} at byte {at}"), "{body:?}");
        assert_eq!(error.param.as_deref(), Some("a"), "{body:?}");
        fuzz_object(body.as_bytes());
    }
    assert_eq!(refused("{\"a\" 1}").param.as_deref(), Some("a"));
}

#[test]
fn a_number_is_out_of_range_where_serde_json_says_so() {
    let long = "9".repeat(309);
    for (number, fine) in
        [(&long[..308], true), (&long, false), (&format!("0.{long}"), true), ("-1e400", false), ("0e400", true)]
    {
        let body = format!("{{\"a\":{number}}}");
        assert_eq!(Body::parse(body.as_bytes()).is_ok(), fine, "{number}");
        fuzz_object(body.as_bytes());
    }
}

#[test]
fn a_body_that_is_not_utf8_is_refused() {
    let cases: &[(&[u8], usize)] = &[
        (b"{\"a\":\"\xff\"}", 6),
        (b"{\"a\":\"\xc3\"}", 6),
        (b"{\"a\":\"\xed\xa0\x80\"}", 6),
        (b"{\"\xc0\x80\":1}", 2),
    ];
    for (body, at) in cases {
        assert_eq!(refused(body).message, format!("the body is not UTF-8 at byte {at}"));
    }
}

#[test]
fn a_member_stands_once_at_the_top_however_its_name_is_written() {
    for again in ["model", "\\u006dodel", "mod\\u0065l"] {
        let error = refused(format!("{{\"model\":1,\"n\":2,\"{again}\":3}}"));
        assert_eq!(error.message, "stands twice in the body, again at byte 17");
        assert_eq!(error.param.as_deref(), Some("model"));
    }
    Body::parse(b"{\"model\":1,\"Model\":2,\"m\":{\"model\":3}}").unwrap();
}

#[test]
fn depth_is_bounded() {
    Body::parse(nested(MAX_DEPTH).as_bytes()).unwrap();
    let error = refused(nested(MAX_DEPTH + 1));
    assert_eq!(error.message, "the body is not valid JSON: nested too deeply at byte 68");
    assert_eq!(error.param.as_deref(), Some("a"));
    refused("{\"a\":".repeat(MAX_DEPTH + 1));
    refused(format!("{{\"a\":{}", "[".repeat(1 << 20)));
    let deep = format!("{}{}", "{\"a\":[".repeat(MAX_DEPTH / 2), "]}".repeat(MAX_DEPTH / 2));
    Body::parse(deep.as_bytes()).unwrap();
    fuzz_object(deep.as_bytes());
}

#[test]
fn members_are_bounded() {
    let body =
        |count: usize| format!("{{{}}}", (0..count).map(|n| format!("\"m{n}\":{n}")).collect::<Vec<_>>().join(","));
    assert_eq!(Body::parse(body(MAX_MEMBERS).as_bytes()).unwrap().value().members().count(), MAX_MEMBERS);
    assert_eq!(refused(body(MAX_MEMBERS + 1)).message, "the body has more than 256 members");
}

#[test]
fn an_error_repeats_no_more_of_a_name_than_a_line() {
    let name = "é".repeat(1000);
    assert_eq!(refused(format!("{{\"{name}\":x}}")).param, Some(format!("{}...", "é".repeat(32))));
    assert_eq!(refused(format!("{{\"a{name}\":x}}")).param, Some(format!("a{}...", "é".repeat(31))));
}

#[test]
fn a_member_is_read_as_its_type_or_refused_by_name() {
    let body = r#"{"s":"a","e":"a\n\u00e9","t":true,"f":false,"n":7,"z":null,"x":-1,"d":1.5,"b":99999999999999999999,"l":[],"o":{}}"#;
    let parsed = Body::parse(body.as_bytes()).unwrap();
    let object = parsed.value();
    assert!(matches!(object.string("s"), Ok(Some(Cow::Borrowed("a")))));
    assert_eq!(object.string("e").unwrap().unwrap(), "a\né");
    assert_eq!((object.boolean("t"), object.boolean("f")), (Ok(Some(true)), Ok(Some(false))));
    assert_eq!(object.unsigned("n"), Ok(Some(7)));
    for absent in ["z", "none"] {
        assert_eq!(object.string(absent), Ok(None));
        assert_eq!(object.boolean(absent), Ok(None));
        assert_eq!(object.unsigned(absent), Ok(None));
    }
    let cases = [
        (object.string("n").map(drop), "n", "must be a string, not a number"),
        (object.string("l").map(drop), "l", "must be a string, not an array"),
        (object.boolean("s").map(drop), "s", "must be a boolean, not a string"),
        (object.boolean("o").map(drop), "o", "must be a boolean, not an object"),
        (object.unsigned("t").map(drop), "t", "must be a whole number, not a boolean"),
        (object.unsigned("x").map(drop), "x", "must not be negative"),
        (object.unsigned("d").map(drop), "d", "must be a whole number"),
        (object.unsigned("b").map(drop), "b", "is too large a number"),
    ];
    for (found, key, message) in cases {
        assert_eq!(found, Err(Error::field(key, message)));
    }
}

#[test]
fn members_are_set_and_removed_with_the_right_commas() {
    // `-name` removes, `name=json` sets.
    let cases: &[(&str, &str, &str)] = &[
        (r#"{"a":1,"b":2,"c":3}"#, "", r#"{"a":1,"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-a", r#"{"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-b", r#"{"a":1,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-c", r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-b -c", r#"{"a":1}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-c -a", r#"{"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-a -b -c", "{}"),
        (r#"{"a":1,"b":2,"c":3}"#, "-none", r#"{"a":1,"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-c -b -a x=9 y=8", r#"{"x":9,"y":8}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "b={} x=9 -a", r#"{"x":9,"b":{},"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "c=\"\" -b", r#"{"a":1,"c":""}"#),
        (r#"{"a":1}"#, "a=1 a=2", r#"{"a":2}"#),
        ("{}", "x=9", r#"{"x":9}"#),
        ("{ }", "x=9 y=8", r#"{"x":9,"y":8 }"#),
        ("{ \"a\" : 1 , \"b\" : 2 }", "-a", "{ \"b\" : 2 }"),
        ("{ \"a\" : 1 , \"b\" : 2 }", "-b", "{ \"a\" : 1  }"),
        ("{ \"a\" : 1 , \"b\" : 2 }", "x=9", "{\"x\":9, \"a\" : 1 , \"b\" : 2 }"),
        ("{\n  \"a\": 1,\n  \"b\": \",\"\n}\n", "-b", "{\n  \"a\": 1\n}\n"),
        ("{\n  \"a\": \"}\",\n  \"b\": 2\n}\n", "-a b=3", "{\n  \"b\": 3\n}\n"),
        (r#"{"a":",","b":"}"}"#, "a=\"{\" b=\",\"", r#"{"a":"{","b":","}"#),
    ];
    for (body, changes, expected) in cases {
        let parsed = Body::parse(body.as_bytes()).unwrap();
        let object = parsed.value();
        let edit = |change: &str| match change.split_once('=') {
            Some((name, json)) => Some(object.set(name, json)),
            None => object.remove(&change[1..]),
        };
        let edits: Vec<Edit> = changes.split_whitespace().filter_map(edit).collect();
        let made = String::from_utf8(splice(body.as_bytes(), &edits)).unwrap();
        assert_eq!(made, *expected, "{body} {changes}");
        let (mut made, done) = head(body.as_bytes(), &edits);
        made.extend_from_slice(&body.as_bytes()[done..]);
        assert_eq!(String::from_utf8(made).unwrap(), *expected, "{body} {changes}");
    }
}

#[test]
fn a_splice_that_fits_no_body_does_no_harm() {
    let edit = |at: Range<usize>, with: &str| Edit { at, with: with.into() };
    let made = |edits: &[Edit]| String::from_utf8(splice(b"0123456789", edits)).unwrap();
    assert_eq!(made(&[edit(6..8, "b"), edit(2..4, "a")]), "01a45b89");
    assert_eq!(made(&[edit(2..6, "a"), edit(4..8, "b")]), "01a6789");
    assert_eq!(made(&[edit(8..20, "a"), edit(30..40, "b")]), "01234567ab");
    assert_eq!(made(&[edit(5..5, "a"), edit(5..5, "b"), edit(5..6, "c")]), "01234abc6789");
    assert_eq!(splice(b"", &[]), b"");
}

#[test]
fn a_value_is_found_by_its_path() {
    let text = r#" {"id":"x","usage":{"in":3,"d":{"cached":[1,{"n":true}]}},"\u0061":"b","a":"c","l":[ ] } "#;
    let cases: &[(&[&str], Option<&str>)] = &[
        (&["id"], Some("\"x\"")),
        (&["usage", "in"], Some("3")),
        (&["usage", "d", "cached", "0"], Some("1")),
        (&["usage", "d", "cached", "1", "n"], Some("true")),
        (&["usage", "d", "cached", "2"], None),
        (&["usage", "d", "cached", "x"], None),
        (&["usage", "none"], None),
        (&["id", "x"], None),
        (&["id", "0"], None),
        (&["a"], Some("\"b\"")),
        (&["l", "0"], None),
        (&["l"], Some("[ ]")),
        (&["none"], None),
    ];
    for (path, found) in cases {
        assert_eq!(find(text, path), *found, "{path:?}");
    }
    assert_eq!(find(text, &[]), Some(text.trim()));
    assert_eq!(find("{\"a\":{\"b\":1},bad", &["a", "b"]), Some("1"));
    assert_eq!(find("{\"a\":{\"b\":1", &["a"]), None);
    assert_eq!(find("", &["a"]), None);
}

#[test]
fn what_a_provider_says_is_read_where_a_client_is_refused() {
    let mut tree = Tree::default();
    for (text, said) in [
        ("\"a\\ud83d\"", "a\u{fffd}"),
        ("\"\\ude00b\"", "\u{fffd}b"),
        ("\"\\ud83d\\u0041\"", "\u{fffd}A"),
        ("\"\\ud83d\\ud83d\\ude00\"", "\u{fffd}\u{1f600}"),
    ] {
        assert_eq!(tree.read(text.as_bytes()).unwrap().text().unwrap(), said);
        refused(format!("{{\"a\":{text}}}"));
    }
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(tree.read(deep(MAX_READ_DEPTH).as_bytes()).is_ok());
    assert!(tree.read(deep(MAX_READ_DEPTH + 1).as_bytes()).is_err());
    for (text, what) in
        [("", "the text ends too early at byte 0"), ("[1", "expected `,` or `]`"), ("1 2", "something after")]
    {
        let message = tree.read(text.as_bytes()).unwrap_err().message.clone();
        assert!(message.starts_with(what) || message.contains("ends too early"), "{text}: {message}");
    }
    assert_eq!(tree.read(b"[1,[],\"x\"]").unwrap().items().count(), 3);
}

#[test]
fn a_list_of_many_numbers_takes_no_memory_and_too_many_objects_are_refused() {
    let body = |item: &str, count: usize| format!("{{\"a\":[{}]}}", vec![item; count].join(","));
    let text = body("1.5", MAX_VALUES + 1);
    let parsed = Body::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.value().get("a").unwrap().items().count(), MAX_VALUES + 1);
    let error = refused(body("[]", MAX_VALUES));
    assert!(error.message.contains("too many values"), "{error:?}");
}

#[test]
fn every_character_is_quoted_as_serde_json_does() {
    let all: String = (0..=0x10_FFFF).filter_map(char::from_u32).collect();
    let mut out = Vec::new();
    quote(&mut out, &all);
    assert!(out == serde_json::to_vec(&all).unwrap());
    for text in ["", "plain", "\"", "a\"", "\\\\", "tab\tand\u{1f}", "\u{0}"] {
        let mut out = Vec::new();
        quote(&mut out, text);
        assert_eq!(out, serde_json::to_vec(text).unwrap());
    }
}

#[test]
fn a_plain_run_ends_at_each_byte_that_must_at_any_place() {
    for byte in 0..=255_u8 {
        let ends = byte < 0x20 || byte == b'"' || byte == b'\\';
        for other in [b'a', b' ', b'!', b'#', 0x5b, 0x5d, 0x7f, 0x80, 0xff] {
            let mut bytes = [other; 100];
            for at in 0..bytes.len() {
                bytes[at] = byte;
                assert_eq!(plain(&bytes), if ends { at } else { bytes.len() }, "{byte} at {at}");
                assert_eq!(plain(&bytes[..at]), at);
                bytes[at] = other;
            }
        }
    }
}

#[test]
fn long_strings_are_judged_and_read_as_serde_json_does() {
    let pieces =
        r#"\\ a \n \" \t\r ü without_an_escape_for_a_while \/\b\f \u00e9 \ud83c\udf0d 🌍 \ " ? \x \u12 \ud800"#;
    let pieces: Vec<&str> = pieces.split(' ').map(|piece| if piece == "?" { "\u{1}" } else { piece }).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut taken = 0;
    for round in 0..4_000 {
        // Longer than the blocks that are looked at in one go.
        let mut text = format!("{{\"a\":\"{}", "x".repeat(random(70)));
        let kinds = 1 + random(pieces.len());
        let most = text.len() + random(if round % 2 == 0 { 20 } else { 300 });
        while text.len() < most {
            text.push_str(pieces[random(kinds)]);
        }
        text.push_str("\",\"b\":1}");
        let body = Body::parse(text.as_bytes());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        assert_eq!(body.is_ok(), theirs.is_ok(), "{text}");
        if let (Ok(body), Ok(theirs)) = (body, theirs) {
            taken += 1;
            let said = body.value().string("a").unwrap().unwrap();
            assert_eq!(Some(&*said), theirs["a"].as_str(), "{text}");
            let mut out = Vec::new();
            quote(&mut out, &said);
            assert_eq!(out, serde_json::to_vec(&said).unwrap(), "{text}");
        }
    }
    assert!((1000..3600).contains(&taken), "too few or too many are JSON: {taken}");
}

const SEEDS: &[&str] = &[
    r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Größe?\n\"\\\ud83c\udf0d"}],"temperature":0.7,"stream":true}"#,
    r#" { "a" : [ ] , "b" : { } , "c" : null , "d" : -1.5e+10 , "0" : [ 1 , { "a" : false } ] } "#,
    r#"{"\u0061":1,"b":[[[[{"x":[]}]]]],"":"","messages":[{"content":"x"}]}"#,
    r#"[{"a":1},{"a":[true,false,null,0,-0,1E5,"\b\f\r\t\/"]}]"#,
    "{}",
];

#[test]
fn the_fuzz_function_holds_on_seeds_and_their_mutants() {
    let tokens: Vec<&[u8]> = "{|}|[|]|:|,|\"|\\|\\u|d800|\"a\":|0|1e|.|-|true|null| |\n|\"a\":1,|é|\u{1f30d}"
        .split('|')
        .map(str::as_bytes)
        .chain([&b"\xff"[..], b"\xc3", b"\0", b"\x1f"])
        .collect();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut taken = 0;
    for round in 0..20_000 {
        let mut body = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..random(4) {
            let at = random(body.len() + 1);
            let end = (at + random(3)).min(body.len());
            let token = if random(4) == 0 { &[] } else { tokens[random(tokens.len())] };
            body.splice(at..end, token.iter().copied());
        }
        taken += usize::from(Body::parse(&body).is_ok());
        fuzz_object(&body);
    }
    assert!((2000..18_000).contains(&taken), "too few or too many are JSON: {taken}");
}

#[test]
fn every_prefix_and_every_lost_byte_of_a_body_is_judged_as_serde_json_does() {
    for seed in SEEDS {
        let body = seed.as_bytes();
        for at in 0..body.len() {
            fuzz_object(&body[..at]);
            fuzz_object(&[&body[..at], &body[at + 1..]].concat());
        }
    }
}

#[test]
fn every_place_of_a_byte_is_found() {
    for length in 0..70_usize {
        for step in [1, 2, 7, 15, 16, 17, 33] {
            let text: Vec<u8> = (0..length).map(|at| if at % step == 0 { b':' } else { b'x' }).collect();
            let expected: Vec<usize> = (0..length).step_by(step).collect();
            assert_eq!(places(b':', &text).collect::<Vec<_>>(), expected, "{length} {step}");
        }
    }
}

#[test]
fn an_escape_anywhere_between_blocks_is_read_and_written() {
    for length in 0..70_usize {
        for step in [1, 2, 15, 16, 17, 33] {
            let said: String = (0..length)
                .map(|at| if at % step == 0 { ['"', '\n', 'é', '\\', '\u{1}', '€'][at % 6] } else { 'x' })
                .collect();
            let mut quoted = Vec::new();
            quote(&mut quoted, &said);
            assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), said, "{length} {step}");
            let mut tree = Tree::default();
            assert_eq!(tree.read(&quoted).unwrap().text().as_deref(), Some(&*said), "{length} {step}");
        }
    }
}

#[test]
fn members_are_found_whatever_marks_their_names_have() {
    let names: Vec<String> = (0..400_u32)
        .map(|n| format!("{}{}", char::from(b'a' + (n % 26) as u8), "x".repeat((n / 26) as usize)))
        .chain([String::new(), "é".to_owned(), "\"".to_owned()])
        .collect();
    for step in [1, 7, 61, 400] {
        let some: Vec<&String> = names.iter().step_by(step).collect();
        let members: Vec<String> = some.iter().enumerate().map(|(n, name)| format!("{name:?}:{n}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let mut tree = Tree::default();
        let value = tree.read(text.as_bytes()).unwrap();
        for name in &names {
            let known = some.iter().position(|one| *one == name).map(|n| n as u64);
            assert_eq!(value.get(name).and_then(|value| value.count()), known, "{name:?} of {text}");
        }
    }
    // A name with an escape may be any.
    let mut tree = Tree::default();
    let value = tree.read(br#"{"a":{"\u006dodel":1,"other":2}}"#).unwrap();
    assert_eq!(value.at(&["a", "model"]).and_then(|value| value.count()), Some(1));
    assert!(value.get("model").is_none());
}

#[test]
fn numbers_are_written_as_they_are_elsewhere() {
    let tens = (0..20).map(|power| 10_u64.pow(power));
    let edges =
        tens.flat_map(|ten| [ten - 1, ten, ten + 1, ten.saturating_mul(9), ten.saturating_mul(7).saturating_add(3)]);
    for number in edges.chain([u64::MAX, u64::MAX - 1, 4_294_967_295, 4_294_967_296, 1_000_000_000_000_000_001]) {
        let mut out = b"n".to_vec();
        super::write::digits(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), format!("n{number}"));
    }
}
