//! The table of settings in the docs is the settings.

use std::collections::BTreeMap;
use swarm_swim::Config;

/// The settings of a profile, as `Debug` writes them.
fn settings(config: Config) -> BTreeMap<String, String> {
    let text = format!("{config:?}");
    let fields = text.trim_start_matches("Config {").trim_end_matches('}').split(',');
    let pairs = fields.filter_map(|field| field.split_once(':'));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// A cell of the table as `Debug` would write it.
fn value(cell: &str) -> String {
    match cell.trim() {
        "on" => "true".to_owned(),
        "24 h" => "86400s".to_owned(),
        other => other.replace([' ', ','], ""),
    }
}

#[test]
fn the_table_of_settings_is_whole_and_true() {
    let page = include_str!("../../docs/membership.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| Setting"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let mut told = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let names: Vec<&str> =
            cells[0].split(", ").map(|name| name.trim().trim_matches('`')).collect();
        for (profile, cell) in told.iter_mut().zip(&cells[1..]) {
            let values: Vec<&str> = match names.len() {
                1 => vec![cell],
                _ => cell.split(", ").collect(),
            };
            let pairs = names.iter().zip(values);
            profile.extend(pairs.map(|(name, cell)| ((*name).to_owned(), value(cell))));
        }
    }
    let expected = [Config::local(), Config::lan(), Config::wan()].map(settings);
    assert_eq!(told, expected);
}
