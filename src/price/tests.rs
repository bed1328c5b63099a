use super::decimal::billionths;
use super::*;

fn amounts(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn written(name: &str, of: &[(&str, &str)]) -> Written {
    Written { name: name.to_owned(), amounts: amounts(of), tiers: Vec::new() }
}

fn tier(above: u64, of: &[(&str, &str)]) -> Tier {
    Tier { above, amounts: amounts(of) }
}

/// A price for `m`.
fn price(of: &[(&str, &str)], tiers: Vec<Tier>) -> Price {
    let list = PriceList::new(&[Written { tiers, ..written("m", of) }]).unwrap();
    list.find("any", "m").unwrap().clone()
}

fn wrong(list: &[Written]) -> Vec<String> {
    match PriceList::new(list) {
        Ok(_) => Vec::new(),
        Err((_, all)) => all.into_iter().map(|(path, message)| format!("{path}: {message}")).collect(),
    }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

#[test]
fn decimals_are_read_exactly() {
    for (text, expected) in [
        ("0", 0),
        ("0.0", 0),
        ("2.5", 2_500_000_000),
        ("2.50", 2_500_000_000),
        ("0.075", 75_000_000),
        ("0.000000001", 1),
        ("0.1", 100_000_000),
        ("007", 7_000_000_000),
        ("1e-7", 100),
        ("1E2", 100_000_000_000),
        ("1e+2", 100_000_000_000),
        ("10e-10", 1),
        ("0.00e30", 0),
        ("1.2500000000000000000000", 1_250_000_000),
        ("1000000000", 1_000_000_000_000_000_000),
    ] {
        assert_eq!(billionths(text), Ok(expected), "{text}");
    }
    for (text, part) in [
        ("", "decimal number"),
        ("-1", "negative"),
        ("-0", "negative"),
        ("+1", "decimal number"),
        (".5", "decimal number"),
        ("5.", "decimal number"),
        ("1,5", "decimal number"),
        (" 1", "decimal number"),
        ("1 ", "decimal number"),
        ("$1", "decimal number"),
        ("1.5.0", "decimal number"),
        ("NaN", "decimal number"),
        ("inf", "decimal number"),
        ("0x10", "decimal number"),
        ("1_000", "decimal number"),
        ("١", "decimal number"),
        ("1e", "decimal number"),
        ("1e1.5", "decimal number"),
        ("1e99999999999", "decimal number"),
        ("1e31", "decimal number"),
        ("0.0000000001", "nine digits"),
        ("1e-10", "nine digits"),
        ("15e-10", "nine digits"),
        ("1000000001", "too large"),
        ("99999999999999999999", "too large"),
        ("1e20", "too large"),
        ("1e30", "too large"),
    ] {
        assert!(billionths(text).is_err_and(|message| message.contains(part)), "{text}: {:?}", billionths(text));
    }
}

#[test]
fn json_numbers_print_what_was_meant() {
    for text in ["0.1", "0.00875", "2.5", "0.003625", "18.75", "30"] {
        let number: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(billionths(&number.to_string()), billionths(text), "{text}");
        let double = serde_json::json!(text.parse::<f64>().unwrap());
        assert_eq!(billionths(&double.to_string()), billionths(text), "{text}");
    }
}

#[test]
fn a_call_costs_its_tokens_by_type() {
    let price = price(
        &[
            ("input", "3"),
            ("cached_input", "0.3"),
            ("cache_write", "3.75"),
            ("audio_input", "40"),
            ("output", "15"),
            ("reasoning", "16"),
            ("audio_output", "80"),
            ("image_input", "5"),
            ("image_output", "30"),
            ("per_request", "0.005"),
        ],
        vec![],
    );
    let usage = Usage {
        input: 10_000,
        cached_input: 4_000,
        cache_write: 2_000,
        audio_input: 1_000,
        output: 1_000,
        reasoning: 500,
        audio_output: 100,
        image_input: 200,
        image_output: 300,
    };
    // 2800 × 3 + 200 × 5 + 4000 × 0.3 + 2000 × 3.75 + 1000 × 40 + 100 × 15 + 500 × 16 + 100 × 80 + 300 × 30 = 84600 millionths of a dollar
    assert_eq!(price.cost(&usage), 84_600_000 + 5_000_000);
    assert_eq!(price.cost(&Usage::default()), 5_000_000);
}

#[test]
fn a_rate_that_is_not_given_is_that_of_its_whole() {
    let price = price(&[("input", "2"), ("output", "10")], vec![]);
    let all = Usage { cached_input: 3, cache_write: 3, audio_input: 3, reasoning: 4, audio_output: 4, ..usage(10, 10) };
    assert_eq!(price.cost(&all), price.cost(&usage(10, 10)));
    assert_eq!(price.cost(&all), 10 * 2_000 + 10 * 10_000);
}

#[test]
fn a_cost_is_rounded_up_once() {
    let small = price(&[("input", "0.000001"), ("output", "0.000001")], vec![]);
    // 10^-12 dollars a token: a thousandth of a billionth.
    for (tokens, nanos) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (2_000, 2)] {
        assert_eq!(small.cost(&usage(tokens, 0)), nanos, "{tokens}");
    }
    assert_eq!(small.cost(&usage(500, 500)), 1);
    let least = price(&[("input", "0.000000001"), ("output", "0")], vec![]);
    assert_eq!(
        (least.cost(&usage(1, 0)), least.cost(&usage(1_000_000, 0)), least.cost(&usage(1_000_001, 0))),
        (1, 1, 2)
    );
}

#[test]
fn a_tier_counts_above_its_bound_for_all_tokens() {
    let price = price(
        &[("input", "1.25"), ("cached_input", "0.125"), ("output", "10")],
        vec![
            tier(200_000, &[("input", "2.5"), ("cached_input", "0.25"), ("output", "15")]),
            tier(500_000, &[("output", "20")]),
        ],
    );
    assert_eq!(price.cost(&usage(200_000, 1)), 200_000 * 1_250 + 10_000);
    assert_eq!(price.cost(&usage(200_001, 1)), 200_001 * 2_500 + 15_000);
    assert_eq!(price.cost(&usage(500_000, 1)), 500_000 * 2_500 + 15_000);
    // Its own output; the side that it does not name is that of the price, not of the tier before.
    let cached = Usage { cached_input: 500_000, ..usage(500_001, 1) };
    assert_eq!(price.cost(&cached), 500_000 * 125 + 1_250 + 20_000);
}

#[test]
fn a_tier_with_an_input_of_its_own_takes_no_cheaper_part_from_the_base() {
    let price = price(&[("input", "3"), ("cached_input", "0.3"), ("output", "15")], vec![tier(10, &[("input", "6")])]);
    assert_eq!(price.cost(&Usage { cached_input: 11, ..usage(11, 1) }), 11 * 6_000 + 15_000);
}

#[test]
fn parts_that_contradict_their_whole_are_not_charged_twice_nor_lost() {
    let price = price(&[("input", "2"), ("cached_input", "1"), ("audio_input", "8"), ("output", "4")], vec![]);
    // Audio that was read from the cache: both say so.
    assert_eq!(price.cost(&Usage { cached_input: 10, audio_input: 10, ..usage(10, 0) }), 10 * 8_000);
    // A part larger than its whole.
    assert_eq!(price.cost(&Usage { cached_input: 10, ..usage(3, 0) }), 10 * 1_000);
    assert_eq!(price.cost(&Usage { reasoning: 10, ..usage(0, 3) }), 10 * 4_000);
}

#[test]
fn the_largest_numbers_saturate() {
    let price = price(&[("input", "1000000000"), ("output", "1000000000"), ("per_request", "1000000000")], vec![]);
    let most = Usage {
        input: u64::MAX,
        cached_input: u64::MAX,
        cache_write: u64::MAX,
        output: u64::MAX,
        reasoning: u64::MAX,
        audio_input: u64::MAX,
        audio_output: u64::MAX,
        image_input: u64::MAX,
        image_output: u64::MAX,
    };
    assert_eq!(price.cost(&most), u64::MAX);
    assert_eq!(price.upper(u64::MAX, u64::MAX, true), u64::MAX);
}

#[test]
fn no_call_costs_more_than_its_upper_bound() {
    let prices = [
        price(&[("input", "1.25"), ("output", "10")], vec![]),
        price(
            &[("input", "3"), ("cached_input", "0.3"), ("cache_write", "3.75"), ("output", "15"), ("reasoning", "17")],
            vec![tier(50, &[("input", "6"), ("output", "1")]), tier(80, &[("input", "0.5"), ("cache_write", "9")])],
        ),
        price(
            &[
                ("input", "2.5"),
                ("audio_input", "40"),
                ("output", "10"),
                ("audio_output", "80"),
                ("per_request", "0.01"),
            ],
            vec![],
        ),
    ];
    let mut state = 1_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..20_000 {
        let (input, output) = (next(120), next(120));
        let (most_input, most_output) = (input + next(40), output + next(40));
        let media = next(2) == 0;
        let part = |whole: u64, next: &mut dyn FnMut(u64) -> u64| next(whole + 1);
        let usage = Usage {
            input,
            cached_input: part(input, &mut next),
            cache_write: part(input, &mut next),
            audio_input: if media { part(input, &mut next) } else { 0 },
            output,
            reasoning: part(output, &mut next),
            audio_output: if media { part(output, &mut next) } else { 0 },
            image_input: if media { part(input, &mut next) } else { 0 },
            image_output: part(output, &mut next),
        };
        for price in &prices {
            let (cost, upper) = (price.cost(&usage), price.upper(most_input, most_output, media));
            assert!(cost <= upper, "{cost} > {upper}: {usage:?} {most_input} {most_output} {price:?}");
        }
    }
}

#[test]
fn the_upper_bound_is_no_more_than_it_must_be() {
    let price = price(
        &[("input", "1"), ("audio_input", "40"), ("audio_output", "30"), ("output", "2"), ("per_request", "0.000001")],
        vec![tier(100, &[("input", "3"), ("output", "4")])],
    );
    assert_eq!(price.upper(100, 10, false), 100 * 1_000 + 10 * 2_000 + 1_000);
    assert_eq!(price.upper(101, 10, false), 101 * 3_000 + 10 * 4_000 + 1_000);
    assert_eq!(price.upper(100, 10, true), 100 * 40_000 + 10 * 30_000 + 1_000);
}

#[test]
fn the_most_specific_name_wins_and_a_provider_of_its_own_before_all() {
    let rate = |name: &str, input: &str| written(name, &[("input", input), ("output", "0")]);
    let list = PriceList::new(&[
        rate("*", "1"),
        rate("gpt-*", "2"),
        rate("gpt-4o", "3"),
        rate("gpt-4o-*", "4"),
        rate("local/*", "5"),
        rate("azure/gpt-4o", "6"),
        rate("azure/gpt-*", "7"),
        rate("meta-llama/Llama-3.3", "8"),
    ])
    .unwrap();
    for (provider, model, input) in [
        ("openai", "gpt-4o", 3),
        ("openai", "gpt-4o-mini", 4),
        ("openai", "gpt-5", 2),
        ("openai", "claude", 1),
        ("openai", "", 1),
        ("local", "gpt-4o", 5),
        ("azure", "gpt-4o", 6),
        ("azure", "gpt-4o-mini", 7),
        ("azure", "o3", 1),
        ("together", "meta-llama/Llama-3.3", 8),
        ("together", "meta-llama/llama-3.3", 1),
        ("gpt-", "x", 1),
    ] {
        let found = list.find(provider, model).map(|price| price.cost(&usage(1_000, 0)));
        assert_eq!(found, Some(input * 1_000_000), "{provider} {model}");
    }
    let none = PriceList::new(&[rate("gpt-4o", "1")]).unwrap();
    assert!(none.find("openai", "gpt-4o-mini").is_none() && none.find("openai", "GPT-4o").is_none());
    assert!(PriceList::default().find("openai", "gpt-4o").is_none());
}

#[test]
fn every_mistake_is_told_with_its_path() {
    let tiers = |tiers: Vec<Tier>| Written { tiers, ..written("m", &[("input", "1"), ("output", "1")]) };
    let both = [("input", "1"), ("output", "1")];
    let cases: Vec<(Vec<Written>, &str)> = vec![
        (vec![written("m", &[("input", "1")])], "m.output: must be given: 0 if it costs nothing"),
        (vec![written("m", &[("output", "1")])], "m.input: must be given: 0 if it costs nothing"),
        (vec![written("m", &[("input", "x"), ("output", "1")])], "m.input: must be an amount of dollars"),
        (vec![written("m", &[("input", "1"), ("output", "1"), ("outptu", "1")])], "m.outptu: no such rate"),
        (
            vec![written("m", &[("input", "1"), ("output", "1"), ("per_request", "-1")])],
            "m.per_request: must not be negative",
        ),
        (vec![written("", &both)], ": is no model's name"),
        (vec![written("a*b", &both)], "a*b: is no model's name"),
        (vec![written("a**", &both)], "a**: is no model's name"),
        (vec![written("m", &both), written("m", &both)], "m: is there already"),
        (vec![written("m*", &both), written("m*", &both)], "m*: is there already"),
        (vec![tiers(vec![tier(1, &[])])], "m.tiers[0]: must give a rate"),
        (vec![tiers(vec![tier(1, &[("input", "1e-12")])])], "m.tiers[0].input: has more than nine digits"),
        (vec![tiers(vec![tier(1, &[("per_request", "1")])])], "m.tiers[0].per_request: no such rate"),
        (vec![tiers(vec![tier(5, &both), tier(5, &both)])], "m.tiers[1].above: must be more than in the tier before"),
        (vec![tiers((0..17).map(|above| tier(above, &both)).collect())], "m.tiers[16]: is more than the 16 tiers"),
    ];
    for (list, expected) in &cases {
        let found = wrong(list);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}\n  found {found:?}");
    }
    let found = wrong(&[written("a", &[]), written("b", &[("input", "x"), ("output", "y")])]);
    assert_eq!(found.len(), 4, "all at once: {found:?}");
}

/// `examples/prices.json` as the list is built from a configuration.
fn published() -> Vec<(Written, String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/prices.json");
    let document: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rates = |from: &serde_json::Value| -> Vec<(String, String)> {
        let known = from.as_object().unwrap().iter().filter(|(_, value)| value.is_number());
        known.filter(|(name, _)| *name != "above").map(|(name, value)| (name.clone(), value.to_string())).collect()
    };
    let text = |from: &serde_json::Value, name: &str| from[name].as_str().unwrap_or_default().to_owned();
    let entries = document["prices"].as_object().unwrap().iter();
    let tier = |tier: &serde_json::Value| Tier { above: tier["above"].as_u64().unwrap(), amounts: rates(tier) };
    entries
        .map(|(name, entry)| {
            let tiers = entry["tiers"].as_array().into_iter().flatten().map(tier).collect();
            let written = Written { name: name.clone(), amounts: rates(entry), tiers };
            let fields = ["tiers", "source", "date"];
            let known = |field: &String| fields.contains(&field.as_str()) || RATES.contains(&field.as_str());
            assert!(entry.as_object().unwrap().keys().all(known), "{name}");
            (written, text(entry, "source"), text(entry, "date"))
        })
        .collect()
}

#[test]
fn the_published_prices_load_and_each_has_its_source_and_date() {
    let published = published();
    for (written, source, date) in &published {
        assert!(source.starts_with("https://") && source.len() > 12, "{}: {source}", written.name);
        let digits = |at: std::ops::Range<usize>| date[at].bytes().all(|b| b.is_ascii_digit());
        let day = date.len() == 10
            && digits(0..4)
            && &date[4..5] == "-"
            && digits(5..7)
            && &date[7..8] == "-"
            && digits(8..10);
        assert!(day && date.as_str() >= "2026-01-01", "{}: {date}", written.name);
    }
    let written: Vec<Written> = published.into_iter().map(|(written, ..)| written).collect();
    assert!(written.len() >= 50, "{}", written.len());
    let list = PriceList::new(&written).unwrap();
    for (provider, model, usage, nanos) in [
        (
            "openai",
            "gpt-4o",
            Usage { cached_input: 500, ..usage(1_000, 100) },
            500 * 2_500 + 500 * 1_250 + 100 * 10_000,
        ),
        ("anthropic", "claude-haiku-4-5-20251001", Usage { cache_write: 10, ..usage(10, 1) }, 10 * 1_250 + 5_000),
        ("google", "gemini-2.5-pro", usage(200_001, 1), 200_001 * 2_500 + 15_000),
        ("groq", "openai/gpt-oss-120b", usage(10, 0), 10 * 150),
        ("xai", "grok-4.7", usage(200_000, 0), 200_000 * 4_000),
    ] {
        assert_eq!(list.find(provider, model).map(|price| price.cost(&usage)), Some(nanos), "{model}");
    }
    // A price of one host is not another's, and a model of another kind has none by its name's beginning.
    assert!(
        list.find("azure", "openai/gpt-oss-120b").is_none() && list.find("openai", "gpt-4o-audio-preview").is_none()
    );
}
