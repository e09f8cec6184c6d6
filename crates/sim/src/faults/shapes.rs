//! Shapes of partitions: which directed links a cut takes away.

use base::Prng;

use crate::net::Link;
use crate::truth::Member;

/// All links of a group.
pub(super) fn all(members: usize) -> Vec<Link> {
    some(members, |_| true)
}

/// The links that `wanted` picks.
pub(super) fn some(members: usize, mut wanted: impl FnMut(Link) -> bool) -> Vec<Link> {
    let all = (0..members).flat_map(|from| (0..members).map(move |to| Link { from, to }));
    all.filter(|link| link.from != link.to && wanted(*link)).collect()
}

/// Any links at random, at least one.
pub(super) fn any(members: usize, random: &mut Prng) -> Vec<Link> {
    let mut links = some(members, |_| random.chance(1, 2));
    if links.is_empty() {
        links = some(members, |link| link.from == 0);
    }
    links
}

/// One of the shapes, around `centre`, which is mostly the leader.
pub(super) fn partition(members: usize, centre: Member, random: &mut Prng) -> Vec<Link> {
    let side: Vec<bool> = (0..members).map(|_| random.chance(1, 2)).collect();
    let crosses = |link: Link| side[link.from] != side[link.to];
    let links = match random.below(9) {
        // One is alone: in both directions, or deaf, or mute.
        0 => some(members, |link| link.from == centre || link.to == centre),
        1 => some(members, |link| link.from == centre),
        2 => some(members, |link| link.to == centre),
        // Two sides; the same in one direction only.
        3 => some(members, crosses),
        4 => some(members, |link| side[link.from] && !side[link.to]),
        // A bridge: `centre` still sees both sides.
        5 => some(members, |link| crosses(link) && link.from != centre && link.to != centre),
        // A ring: everybody sees its two neighbours only.
        6 => some(members, |link| {
            let apart = link.from.abs_diff(link.to);
            apart > 1 && apart < members - 1
        }),
        // The leader and one follower are left with each other.
        7 => {
            let friend = (centre + 1 + random.below(members as u64 - 1) as usize) % members;
            let is_pair = |member| member == centre || member == friend;
            some(members, |link| is_pair(link.from) != is_pair(link.to))
        }
        _ => Vec::new(),
    };
    if links.is_empty() { any(members, random) } else { links }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_takes_some_links_and_none_leads_home() {
        let mut random = Prng::named(1, "shapes");
        let mut sizes = std::collections::BTreeSet::new();
        for round in 0..300 {
            let members = 2 + round % 6;
            let links = partition(members, round % members, &mut random);
            assert!(!links.is_empty());
            assert!(links.iter().all(|link| link.from != link.to && link.is_within(members)));
            sizes.insert(links.len());
        }
        assert!(sizes.len() > 10, "{sizes:?}");
        assert_eq!(all(3).len(), 6);
    }
}
