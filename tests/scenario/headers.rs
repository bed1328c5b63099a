/// Headers that Envoy keeps in one slot: a second one is appended to the first with a comma.
const SINGLE: [&str; 10] = [
    ":authority",
    ":method",
    ":path",
    ":scheme",
    ":status",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-envoy-max-retries",
];

/// A header map as Envoy keeps it: in order, names in lower case, values any bytes, names may repeat.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|(n, v)| (n, String::from_utf8_lossy(v)))).finish()
    }
}

impl Headers {
    pub fn of(pairs: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.add(name, value.as_bytes());
        }
        headers
    }

    pub fn add(&mut self, name: &str, value: &[u8]) {
        let name = name.to_ascii_lowercase();
        if SINGLE.contains(&name.as_str())
            && let Some((_, old)) = self.0.iter_mut().find(|(n, _)| *n == name)
        {
            old.push(b',');
            old.extend_from_slice(value);
            return;
        }
        self.0.push((name, value.to_vec()));
    }

    pub fn set(&mut self, name: &str, value: &[u8]) {
        let name = name.to_ascii_lowercase();
        let Some(at) = self.0.iter().position(|(n, _)| *n == name) else {
            self.0.push((name, value.to_vec()));
            return;
        };
        let mut place = 0usize;
        self.0.retain_mut(|(n, v)| {
            let here = place;
            place = here.saturating_add(1);
            if here == at {
                *v = value.to_vec();
            }
            here == at || *n != name
        });
    }

    pub fn remove(&mut self, name: &str) -> Option<Vec<u8>> {
        let name = name.to_ascii_lowercase();
        let first = self.first(&name).map(<[u8]>::to_vec);
        self.0.retain(|(n, _)| *n != name);
        first
    }

    /// The first value only, as the ABI gives it.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice())
    }

    /// All values of the name, joined as HTTP allows; for comparing.
    pub fn text(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .0
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| String::from_utf8_lossy(v))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_slice()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(pairs: I) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.add(name, value);
        }
        headers
    }
}
