use super::*;
use crate::sample;

#[test]
fn histories_go_on_and_a_selection_that_is_gone_moves() {
    let mut table = Table::default();
    table.set(sample::instances());
    table.set(sample::instances());
    table.keep_selection();
    assert_eq!(table.selected, Some(InstanceId(0)));
    let api: Vec<u64> = table.row().map(|row| row.cpu.last(9).collect()).unwrap();
    assert_eq!(api, [210, 210]);
    table.select_place(99);
    assert_eq!(table.selected, Some(InstanceId(5)));
    table.marked.insert(InstanceId(5));
    table.set(sample::instances().into_iter().take(2).collect());
    table.keep_selection();
    assert_eq!(table.selected, Some(InstanceId(1)));
    assert!(table.marked.is_empty());
    table.set(Vec::new());
    table.keep_selection();
    assert_eq!((table.selected, table.targets()), (None, Vec::new()));
}

#[test]
fn orders_and_faults() {
    let mut table = Table::default();
    table.set(sample::instances());
    let names = |table: &Table| -> Vec<String> { table.shown().iter().map(|row| row.name()).collect() };
    table.sort = Sort::Cpu;
    assert_eq!(names(&table).first().map(String::as_str), Some("chatty"));
    table.sort = Sort::Restarts;
    assert_eq!(names(&table).first().map(String::as_str), Some("worker"));
    table.sort = Sort::Id;
    table.faults_only = true;
    assert_eq!(names(&table), ["worker", "broken", "chatty"]);
}

#[test]
fn the_selected_row_is_in_sight() {
    let mut table = Table::default();
    table.set(sample::instances());
    for place in 0..6 {
        table.select_place(place);
        let first = table.first_shown(3);
        assert!((first..first + 3).contains(&place), "{place}: {first}");
    }
}
