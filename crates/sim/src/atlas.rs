//! The fault atlas: who may lose what was durable, so that recovery must be possible.
//!
//! Crashes, lost messages and lost *unsynced* bytes may hit everybody at once, and nothing
//! acknowledged may be lost. Damage to *synced* bytes is another matter: of `n` members at most
//! `(n - 1) / 2` are ever hurt, so that what was committed lies whole on at least one member of
//! each majority. The group must then go on, answer right and lose nothing.
//!
//! A few seeds exceed the bound on purpose. They may stop; they must not lie.

use std::collections::BTreeSet;

use crate::truth::Member;

/// See the module.
#[derive(Clone, Debug)]
pub struct Atlas {
    hurt_max: usize,
    hurt: BTreeSet<Member>,
    /// Those that were hurt and are no members any more.
    forgiven: BTreeSet<Member>,
}

impl Atlas {
    /// An atlas for `members`; with `exceeds` all of them may be hurt.
    pub fn new(members: usize, exceeds: bool) -> Self {
        let hurt_max = if exceeds { members } else { (members - 1) / 2 };
        Self { hurt_max, hurt: BTreeSet::new(), forgiven: BTreeSet::new() }
    }

    /// Whether `member` may be hurt; it counts as hurt from now on if so.
    pub fn admit(&mut self, member: Member) -> bool {
        let is_free = self.hurt.len() < self.hurt_max;
        if is_free {
            self.hurt.insert(member);
        }
        self.hurt.contains(&member)
    }

    /// `member` is no member any more: others may be hurt.
    pub fn forgive(&mut self, member: Member) {
        if self.hurt.remove(&member) {
            self.forgiven.insert(member);
        }
    }

    /// Whether `member` was ever hurt.
    pub fn is_hurt(&self, member: Member) -> bool {
        self.hurt.contains(&member) || self.forgiven.contains(&member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minority_may_be_hurt_again_and_again() {
        let mut atlas = Atlas::new(5, false);
        assert_eq!(
            [3, 1, 3, 0, 1].map(|member| atlas.admit(member)),
            [true, true, true, false, true]
        );
        assert!(atlas.is_hurt(3) && !atlas.is_hurt(0));
        assert!(!Atlas::new(2, false).admit(0));
        let mut all = Atlas::new(2, true);
        assert!(all.admit(0) && all.admit(1));
    }
}
