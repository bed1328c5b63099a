//! Which limits hold for a call, and under which keys they are counted.
//!
//! May use: consumer, quota, route.
//!
//! To add a way to count: a variant of [`Dimension`], its name in `Dimension::named` and `Dimension::name`, and its value
//! in `Caller::value`.

use crate::consumer::Consumer;
use crate::quota::{DEFAULT_PAGES, Mode, Rule, Slot, Unit, WAYS};
use crate::route::Pattern;
use std::borrow::Cow;
use std::rc::Rc;

/// All limits of a configuration.
#[derive(Debug, Default)]
pub struct Limits {
    pub all: Vec<Rc<Limit>>,
    /// Consumers' own, by the consumer's name, in order of it.
    pub own: Vec<(Rc<str>, Vec<Rc<Limit>>)>,
    /// Names of the headers that limits are counted by, each once.
    pub headers: Vec<String>,
    /// How many pages the counters have: as it was prepared.
    pub pages: u32,
}

#[derive(Debug)]
pub struct Limit {
    /// As in logs and metrics.
    pub name: Rc<str>,
    pub by: Vec<Dimension>,
    pub when: When,
    pub exceeded: Exceeded,
    pub rule: Rc<Rule>,
}

/// What becomes of a call for which a limit has no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exceeded {
    Reject,
    Report,
    /// It goes to this model, if that has room.
    Route(String),
}

/// What a limit is counted by. Who has no value for it shares one counter with all others that have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    Consumer,
    Team,
    Tier,
    /// The entry of the configuration that fitted, not the name that the client wrote.
    Model,
    Provider,
    Label(String),
    /// In lower case.
    Header(String),
}

impl Dimension {
    pub const WORDS: &[&str] = &["consumer", "team", "tier", "model", "provider", "label:NAME", "header:NAME"];

    pub fn named(text: &str) -> Option<Self> {
        Some(match text {
            "consumer" => Self::Consumer,
            "team" => Self::Team,
            "tier" => Self::Tier,
            "model" => Self::Model,
            "provider" => Self::Provider,
            _ => match text.split_once(':')? {
                (_, "") => return None,
                ("label", name) => Self::Label(name.to_owned()),
                ("header", name) => Self::Header(name.to_ascii_lowercase()),
                _ => return None,
            },
        })
    }

    /// Whether it is about who calls.
    pub fn is_personal(&self) -> bool {
        matches!(self, Self::Consumer | Self::Team | Self::Tier | Self::Label(_))
    }

    /// As in the configuration.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Consumer => "consumer",
            Self::Team => "team",
            Self::Tier => "tier",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Label(name) => return Cow::Owned(["label:", name].concat()),
            Self::Header(name) => return Cow::Owned(["header:", name].concat()),
        })
    }
}

/// Conditions, all of which must hold. `None`: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// The name that the client wrote.
    pub models: Option<Vec<Pattern>>,
    pub consumers: Option<Vec<String>>,
    pub teams: Option<Vec<String>>,
    pub tiers: Option<Vec<String>>,
}

/// What limits look at of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'c> {
    pub consumer: Option<&'c Consumer>,
    /// Whether the configuration has that consumer: its own limits hold then.
    pub listed: bool,
    /// The name asked for, and the entry that fitted it; `None`: nothing says which model is meant.
    pub model: Option<(&'c str, &'c str)>,
    pub provider: Option<&'c str>,
    /// Values of [`Limits::headers`], in their order.
    pub headers: &'c [String],
}

impl<'c> Caller<'c> {
    /// Empty: it has none.
    pub fn value(&self, dimension: &Dimension, limits: &Limits) -> &'c str {
        let of = |name: fn(&'c Consumer) -> Option<&'c str>| self.consumer.and_then(name);
        let value = match dimension {
            Dimension::Consumer => of(|consumer| Some(&consumer.name)),
            Dimension::Team => of(|consumer| consumer.team.as_deref()),
            Dimension::Tier => of(|consumer| consumer.tier.as_deref()),
            Dimension::Model => self.model.map(|(_, entry)| entry),
            Dimension::Provider => self.provider,
            Dimension::Label(name) => self.consumer.and_then(|consumer| consumer.label(name)),
            Dimension::Header(name) => {
                let at = limits.headers.iter().position(|known| known == name);
                at.and_then(|at| self.headers.get(at)).map(String::as_str)
            }
        };
        value.unwrap_or_default()
    }
}

impl Limits {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.own.is_empty()
    }

    /// Those that hold for a call.
    pub fn of<'l>(&'l self, caller: &Caller<'l>) -> impl Iterator<Item = &'l Rc<Limit>> {
        let own = caller.consumer.filter(|_| caller.listed).and_then(|consumer| {
            let at = self.own.binary_search_by(|(name, _)| (**name).cmp(&*consumer.name)).ok()?;
            self.own.get(at).map(|(_, own)| own.as_slice())
        });
        let caller = *caller;
        self.all.iter().chain(own.unwrap_or_default()).filter(move |limit| limit.when.holds(&caller))
    }

    /// Pages of counters for so many listed consumers: twice the room that their own counters take, for some pages fill before others.
    pub fn pages_for(&self, consumers: usize) -> u32 {
        let by_consumer =
            self.all.iter().filter(|limit| limit.by.iter().any(|by| matches!(by, Dimension::Consumer))).count();
        let own = self.own.iter().fold(0, |sum: usize, (_, own)| sum.saturating_add(own.len()));
        let counters = consumers.saturating_mul(by_consumer).saturating_add(own);
        u32::try_from(counters / (WAYS / 2)).unwrap_or(u32::MAX).max(DEFAULT_PAGES)
    }

    /// Of which limit a key is.
    pub fn owner(&self, slot: Slot) -> Option<&Rc<Limit>> {
        let own = self.own.iter().flat_map(|(_, own)| own);
        self.all.iter().chain(own).find(|limit| limit.rule.owns(slot))
    }

    pub fn slot(&self, limit: &Limit, caller: &Caller<'_>) -> Slot {
        limit.rule.slot_of(limit.by.iter().map(|dimension| (dimension.name(), caller.value(dimension, self))))
    }
}

impl Limit {
    pub fn is_by_provider(&self) -> bool {
        self.by.iter().any(|dimension| matches!(dimension, Dimension::Provider))
    }

    /// Whether what a call comes to in tokens or money must be known.
    pub fn counts_tokens(&self) -> bool {
        !matches!(self.rule.unit, Unit::Requests | Unit::Concurrent)
    }

    pub fn is_enforced(&self) -> bool {
        self.rule.mode == Mode::Enforce
    }
}

impl When {
    fn holds(&self, caller: &Caller<'_>) -> bool {
        let any = |wanted: &Option<Vec<String>>, value: Option<&str>| match wanted {
            None => true,
            Some(wanted) => value.is_some_and(|value| wanted.iter().any(|one| one == value)),
        };
        let model = match (&self.models, caller.model) {
            (None, _) => true,
            (Some(models), Some((asked, _))) => models.iter().any(|pattern| fits(pattern, asked)),
            // It may be any.
            (Some(_), None) => true,
        };
        model
            && any(&self.consumers, caller.consumer.map(|consumer| &*consumer.name))
            && any(&self.teams, caller.consumer.and_then(|consumer| consumer.team.as_deref()))
            && any(&self.tiers, caller.consumer.and_then(|consumer| consumer.tier.as_deref()))
    }
}

fn fits(pattern: &Pattern, name: &str) -> bool {
    match pattern {
        Pattern::Exact(exact) => exact == name,
        Pattern::Prefix(prefix) => name.starts_with(prefix.as_str()),
    }
}

/// Whether some name fits both.
pub fn meet(one: &Pattern, other: &Pattern) -> bool {
    match (one, other) {
        (Pattern::Exact(name), pattern) | (pattern, Pattern::Exact(name)) => fits(pattern, name),
        (Pattern::Prefix(one), Pattern::Prefix(other)) => {
            one.starts_with(other.as_str()) || other.starts_with(one.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Window;

    fn limit(by: &[&str], when: When) -> Rc<Limit> {
        Rc::new(Limit {
            name: "l".into(),
            by: by.iter().map(|name| Dimension::named(name).unwrap()).collect(),
            when,
            exceeded: Exceeded::Reject,
            rule: Rc::new(Rule::new("l", Unit::Requests, Window::Total, 1)),
        })
    }

    fn consumer(name: &str, team: Option<&str>, tier: Option<&str>) -> Consumer {
        Consumer {
            name: name.into(),
            team: team.map(Into::into),
            tier: tier.map(Into::into),
            labels: vec![("app".to_owned(), "chat".to_owned())],
            ..Consumer::default()
        }
    }

    #[test]
    fn each_dimension_tells_callers_apart_by_its_own_value_alone() {
        let (a, b) = (consumer("a", Some("t"), Some("gold")), consumer("b", Some("u"), Some("tin")));
        let headers = [String::from("one"), String::from("two")];
        let base = Caller {
            consumer: Some(&a),
            listed: true,
            model: Some(("gpt-4o", "gpt-*")),
            provider: Some("openai"),
            headers: &headers[..1],
        };
        let other_labels = Consumer { labels: Vec::new(), ..a.clone() };
        let others: &[(&str, Caller<'_>)] = &[
            ("consumer", Caller { consumer: Some(&b), ..base }),
            ("team", Caller { consumer: Some(&b), ..base }),
            ("tier", Caller { consumer: Some(&b), ..base }),
            ("label:app", Caller { consumer: Some(&other_labels), ..base }),
            ("model", Caller { model: Some(("gpt-4o", "gpt-4*")), ..base }),
            ("provider", Caller { provider: Some("azure"), ..base }),
            ("header:X-App", Caller { headers: &headers[1..], ..base }),
        ];
        for (by, other) in others {
            let limits = Limits { headers: vec!["x-app".to_owned()], ..Limits::default() };
            let slot = |by: &[&str], caller| limits.slot(&limit(by, When::default()), caller);
            assert_ne!(slot(&[by], &base), slot(&[by], other), "{by}");
            assert_eq!(slot(&[], &base), slot(&[], other), "{by}");
            let asked = Caller { model: Some(("gpt-4", "gpt-*")), ..base };
            assert_eq!(slot(&[by], &base), slot(&[by], &asked), "{by}: what the client wrote is no key");
        }
    }

    #[test]
    fn a_limit_says_what_must_be_known_of_a_call_and_whether_it_refuses() {
        for unit in Unit::ALL {
            for mode in [Mode::Enforce, Mode::Report] {
                let mut rule = Rule::new("l", unit, Window::Total, 1);
                rule.mode = mode;
                let mut limit = Limit { rule: Rc::new(rule), ..Rc::into_inner(limit(&[], When::default())).unwrap() };
                let counts = [Unit::Tokens, Unit::InputTokens, Unit::OutputTokens, Unit::Usd].contains(&unit);
                assert_eq!((limit.counts_tokens(), limit.is_enforced()), (counts, mode == Mode::Enforce), "{unit:?}");
                assert!(!limit.is_by_provider());
                limit.by = vec![Dimension::Team, Dimension::Provider];
                assert!(limit.is_by_provider());
            }
        }
    }

    #[test]
    fn conditions_must_all_hold() {
        let gold = consumer("a", Some("t"), Some("gold"));
        let of = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let models = Some(vec![Pattern::new("gpt-*"), Pattern::new("o3")]);
        let caller = |model, consumer| Caller { consumer, model, ..Caller::default() };
        let check = |when: &When, model, consumer, expected| {
            let limits = Limits { all: vec![limit(&[], when.clone())], ..Limits::default() };
            assert_eq!(limits.of(&caller(model, consumer)).count() == 1, expected, "{when:?} {model:?}");
        };
        let gpt = Some(("gpt-4o", "*"));
        check(&When::default(), None, None, true);
        check(&When { models: models.clone(), ..When::default() }, gpt, None, true);
        check(&When { models: models.clone(), ..When::default() }, Some(("o3-mini", "*")), None, false);
        check(&When { models: models.clone(), ..When::default() }, None, None, true);
        check(&When { tiers: of(&["tin", "gold"]), ..When::default() }, gpt, Some(&gold), true);
        check(&When { tiers: of(&["tin"]), ..When::default() }, gpt, Some(&gold), false);
        check(&When { tiers: of(&["tin"]), ..When::default() }, gpt, None, false);
        check(&When { teams: of(&["t"]), consumers: of(&["b"]), ..When::default() }, gpt, Some(&gold), false);
        check(&When { teams: of(&["t"]), consumers: of(&["a"]), ..When::default() }, gpt, Some(&gold), true);
    }

    #[test]
    fn there_is_room_for_the_counters_of_all_listed_consumers() {
        let all = vec![limit(&["team"], When::default()), limit(&["model", "consumer"], When::default())];
        let own = vec![(Rc::from("a"), vec![limit(&["consumer"], When::default()); 8])];
        let limits = Limits { all, own, ..Limits::default() };
        assert_eq!(limits.pages_for(10), DEFAULT_PAGES);
        assert_eq!(limits.pages_for(20_000), 20_008 / 8, "half full");
        assert_eq!(Limits::default().pages_for(usize::MAX), DEFAULT_PAGES);
    }

    #[test]
    fn a_consumers_own_limits_hold_for_it_alone_and_only_if_it_is_listed() {
        let own = |name: &str| (Rc::from(name), vec![limit(&["consumer"], When::default())]);
        let limits = Limits { own: vec![own("a"), own("c")], ..Limits::default() };
        for (name, listed, expected) in [("a", true, 1), ("a", false, 0), ("b", true, 0), ("c", true, 1)] {
            let consumer = consumer(name, None, None);
            let caller = Caller { consumer: Some(&consumer), listed, ..Caller::default() };
            assert_eq!(limits.of(&caller).count(), expected, "{name} {listed}");
        }
    }

    #[test]
    fn patterns_meet_where_a_name_fits_both() {
        for (one, other, expected) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a*", "ab", true),
            ("ab", "a*", true),
            ("a*", "b", false),
            ("a*", "ab*", true),
            ("ab*", "a*", true),
            ("ab*", "ac*", false),
            ("*", "x", true),
        ] {
            assert_eq!(meet(&Pattern::new(one), &Pattern::new(other)), expected, "{one} {other}");
        }
    }
}
