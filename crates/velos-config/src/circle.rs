//! Apps that wait for each other for ever.

use crate::declaration::Declaration;

/// Names along a circle of dependencies. What is not in the file may run already and counts as satisfied.
pub(crate) fn find(apps: &[Declaration]) -> Option<Vec<String>> {
    let index: std::collections::BTreeMap<&str, usize> =
        apps.iter().enumerate().map(|(number, app)| (app.spec.name.as_str(), number)).collect();
    let needs = |number: usize| {
        let needed = apps.get(number).into_iter().flat_map(|app| &app.spec.depends_on);
        needed.filter_map(|needed| index.get(needed.app.as_str()).copied())
    };
    // Take away what needs nothing that is left (Kahn, 1962); what stays is on or behind a circle.
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); apps.len()];
    let mut open: Vec<usize> = (0..apps.len()).map(|number| needs(number).count()).collect();
    for number in 0..apps.len() {
        needs(number).for_each(|needed| needed_by[needed].push(number));
    }
    let mut free: Vec<usize> = (0..apps.len()).filter(|number| open[*number] == 0).collect();
    let mut left: std::collections::BTreeSet<usize> = (0..apps.len()).collect();
    while let Some(number) = free.pop() {
        left.remove(&number);
        for waiting in &needed_by[number] {
            open[*waiting] -= 1;
            if open[*waiting] == 0 {
                free.push(*waiting);
            }
        }
    }
    let mut path = Vec::new();
    let mut here = *left.iter().next()?;
    while !path.contains(&here) {
        path.push(here);
        here = needs(here).find(|needed| left.contains(needed))?;
    }
    let begin = path.iter().position(|number| *number == here)?;
    path.push(here);
    Some(
        path.iter().skip(begin).filter_map(|number| Some(apps.get(*number)?.spec.name.to_string())).collect(),
    )
}
