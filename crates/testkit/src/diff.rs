//! A unified difference of two short texts, for a person who reads a failed test.

/// Lines around a change that are shown with it.
const CONTEXT_LINES: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Same,
    Removed,
    Added,
}

/// The difference in unified form with line numbers; empty when the texts are equal.
pub(crate) fn unified(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let edits = edits(&old, &new);
    let changed: Vec<usize> = (0..edits.len()).filter(|at| edits[*at].0 != Change::Same).collect();
    let mut text = String::new();
    let mut shown = 0;
    for &at in &changed {
        if at < shown {
            continue;
        }
        let start = at.saturating_sub(CONTEXT_LINES).max(shown);
        let mut end = at + 1;
        for &next in changed.iter().filter(|next| **next >= at) {
            if next > end + 2 * CONTEXT_LINES {
                break;
            }
            end = next + 1;
        }
        let end = (end + CONTEXT_LINES).min(edits.len());
        hunk(&mut text, &edits, start, end);
        shown = end;
    }
    text
}

fn hunk(text: &mut String, edits: &[(Change, &str)], start: usize, end: usize) {
    let count = |part: &[(Change, &str)], side| {
        part.iter().filter(|(change, _)| *change == Change::Same || *change == side).count()
    };
    let (before, part) = (&edits[..start], &edits[start..end]);
    text.push_str(&format!(
        "@@ -{},{} +{},{} @@\n",
        count(before, Change::Removed) + 1,
        count(part, Change::Removed),
        count(before, Change::Added) + 1,
        count(part, Change::Added),
    ));
    for (change, line) in part {
        text.push(match change {
            Change::Same => ' ',
            Change::Removed => '-',
            Change::Added => '+',
        });
        text.push_str(line);
        text.push('\n');
    }
}

/// Longest common subsequence by the textbook table; scripts are a few hundred lines, and equal
/// heads and tails are cut off before.
fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Change, &'a str)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    let (middle_old, middle_new) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let width = middle_new.len() + 1;
    let mut table = vec![0usize; (middle_old.len() + 1) * width];
    for i in (0..middle_old.len()).rev() {
        for j in (0..middle_new.len()).rev() {
            table[i * width + j] = if middle_old[i] == middle_new[j] {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let mut edits: Vec<_> = old[..head].iter().map(|line| (Change::Same, *line)).collect();
    let (mut i, mut j) = (0, 0);
    while i < middle_old.len() || j < middle_new.len() {
        let both = i < middle_old.len() && j < middle_new.len();
        if both && middle_old[i] == middle_new[j] {
            edits.push((Change::Same, middle_old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == middle_new.len()
            || (i < middle_old.len() && table[(i + 1) * width + j] >= table[i * width + j + 1])
        {
            edits.push((Change::Removed, middle_old[i]));
            i += 1;
        } else {
            edits.push((Change::Added, middle_new[j]));
            j += 1;
        }
    }
    edits.extend(old[old.len() - tail..].iter().map(|line| (Change::Same, *line)));
    edits
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn equal_texts_differ_in_nothing() {
        assert_eq!(unified("a\nb\n", "a\nb\n"), "");
    }

    #[test]
    fn a_changed_line_is_shown_with_its_neighbours() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let expected = "@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n";
        assert_eq!(unified(old, &old.replace('6', "six")), expected);
    }

    #[test]
    fn far_changes_make_two_hunks_and_near_ones_one() {
        let old: String = (0..40).map(|n| format!("{n}\n")).collect();
        let far = old.replace("\n5\n", "\nx\n").replace("\n30\n", "\ny\n");
        assert_eq!(unified(&old, &far).matches("@@ -").count(), 2);
        let near = old.replace("\n5\n", "\nx\n").replace("\n8\n", "\ny\n");
        assert_eq!(unified(&old, &near).matches("@@ -").count(), 1);
    }

    #[test]
    fn added_and_removed_ends() {
        assert_eq!(unified("a\n", "a\nb\n"), "@@ -1,1 +1,2 @@\n a\n+b\n");
        assert_eq!(unified("a\nb\n", "b\n"), "@@ -1,2 +1,1 @@\n-a\n b\n");
        assert_eq!(unified("", "a\n"), "@@ -1,0 +1,1 @@\n+a\n");
    }
}
