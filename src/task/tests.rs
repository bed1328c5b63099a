use super::{FORMATS, by_name};
use crate::api::Line;
use crate::http::Headers;

#[test]
fn every_format_has_a_name_a_dialect_and_a_path_of_its_own() {
    let headers = Headers::default();
    for format in FORMATS {
        assert_eq!(FORMATS.iter().filter(|other| other.name == format.name).count(), 1, "{}", format.name);
        assert_eq!(by_name(format.name).unwrap().name, format.name);
        let dialect = crate::api::by_name(format.dialect).unwrap();
        let full = format!("{}{}", dialect.base_path(), (format.path)("m"));
        let (path, query) = full.split_once('?').unwrap_or((&full, ""));
        let line = Line { method: "POST", path, query, headers: &headers };
        let takers: Vec<_> = FORMATS.iter().filter(|other| (other.takes)(&line).is_some()).map(|f| f.name).collect();
        assert_eq!(takers, [format.name], "{path}");
        assert!((format.takes)(&Line { method: "GET", ..line }).is_none());
    }
}
