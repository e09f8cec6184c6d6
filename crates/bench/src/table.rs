//! Figures as aligned columns, with the ratios that are the point of them.

use crate::figures::Figure;

const HEAD: [&str; 7] = ["figure", "ours", "unit", "peer", "ours/peer", "limit", "ours/limit"];

/// A line for each figure; who the peers and limits are is listed below by number.
pub(crate) fn render(figures: &[Figure]) -> String {
    let mut notes: Vec<String> = Vec::new();
    let mut rows = vec![HEAD.map(str::to_owned)];
    for figure in figures {
        let mut beside = |what: &str, name: &Option<String>, value: Option<f64>| {
            let (Some(name), Some(value)) = (name, value) else {
                return ("-".to_owned(), "-".to_owned());
            };
            let note = format!("{what}: {name}");
            let number = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
                notes.push(note);
                notes.len() - 1
            });
            (format!("{} [{}]", shown(value), number + 1), ratio(figure.value, value))
        };
        let (peer, to_peer) = beside("peer", &figure.peer, figure.peer_value);
        let (limit, to_limit) = beside("limit", &figure.limit, figure.limit_value);
        let ours = shown(figure.value);
        rows.push([figure.name.clone(), ours, figure.unit.clone(), peer, to_peer, limit, to_limit]);
    }
    let mut text = aligned(&rows);
    for (number, note) in (1..).zip(&notes) {
        text.push_str(&format!("[{number}] {note}\n"));
    }
    text
}

/// Words to the left, numbers to the right.
fn aligned(rows: &[[String; HEAD.len()]]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row: &[String; HEAD.len()]| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if matches!(column, 0 | 2) {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn ratio(ours: f64, other: f64) -> String {
    if other == 0.0 { "-".to_owned() } else { format!("{:.2}", ours / other) }
}

/// As many decimals as the size deserves.
fn shown(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_names_of_peers_come_once() {
        let figures = [
            Figure::new("puts.rate", 12_000.0, "puts/s").with_peer("etcd", Some(8_000.0)),
            Figure::new("puts.p50", 4.5, "ms").with_peer("etcd", Some(0.0)),
            Figure::new("append.rate", 900.0, "1/s").with_limit("disk", 1_000.0),
        ];
        let expect = "\
figure        ours  unit      peer  ours/peer     limit  ours/limit
puts.rate    12000  puts/s  8000 [1]       1.50         -           -
puts.p50      4.50  ms    0.0000 [1]          -         -           -
append.rate    900  1/s          -          -  1000 [2]        0.90
[1] peer: etcd
[2] limit: disk
";
        let got = render(&figures);
        let squeezed = |text: &str| {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            text.lines().map(words).collect::<Vec<_>>()
        };
        assert_eq!(squeezed(&got), squeezed(expect));
        let ends: Vec<usize> = got.lines().take(4).map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{got}");
    }

    #[test]
    fn decimals_follow_the_size() {
        let check = |value, expect: &str| assert_eq!(shown(value), expect);
        check(12_345.6, "12346");
        check(45.67, "45.7");
        check(4.567, "4.57");
        check(0.012_34, "0.0123");
        check(0.0, "0.0000");
    }
}
