//! The line at the end of a reply that tells of trouble elsewhere.

use velos_core::protocol::InstanceSummary;

use crate::sentence;
use crate::toolbox::shown_name;

/// Names that are told.
const NAMES_MAX: usize = 3;

/// `! billing errored: exit code 1; see diagnose`. `known` names the apps the reply is about.
pub(crate) fn line(instances: &[InstanceSummary], known: Option<&str>) -> Option<String> {
    let is_known = |one: &InstanceSummary| {
        known.is_some_and(|known| {
            known == one.name || known == shown_name(one) || known == one.id.0.to_string()
        })
    };
    let bad: Vec<(String, String)> = instances
        .iter()
        .filter(|one| !is_known(one))
        .filter_map(|one| Some((shown_name(one), sentence::complaint(one)?)))
        .collect();
    match bad.as_slice() {
        [] => None,
        [(name, complaint)] => Some(format!("! {name} {complaint}; see diagnose\n")),
        many => {
            let names: Vec<&str> = many.iter().take(NAMES_MAX).map(|(name, _)| name.as_str()).collect();
            let more = many.len().saturating_sub(NAMES_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("! {}{more} are failing; see diagnose\n", names.join(", ")))
        }
    }
}
