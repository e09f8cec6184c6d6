//! What must hold, looked at from outside: at every cosignature, statement and notice.

use std::collections::BTreeMap;

use authority::{
    ElectionView,
    vote::{VOTE_BYTES, Vote},
};
use election::{
    ElectionId,
    keys::{Key, Step},
};
use kv::api::{Request, TxnOperation};
use ledger::{Hash, Policy, Receipt, leaf_hash};

use crate::check::Violation;

/// A receipt somebody holds.
pub(super) struct Held {
    pub(super) voter: usize,
    pub(super) leaf: Hash,
    pub(super) receipt: Receipt,
}

/// What has been seen so far.
pub(super) struct Checker {
    election: ElectionId,
    policy: Policy,
    /// The longest ledger any honest authority cosigned.
    agreed: Vec<Hash>,
    /// Leaves that somebody honest called final.
    final_size: u64,
    statements: BTreeMap<(u8, u64, u32, Step), Vec<u8>>,
    pub(super) receipts: Vec<Held>,
    pub(super) cosigned: u64,
}

fn broken(rule: &'static str, text: String) -> Result<(), Violation> {
    Err(Violation { rule, text })
}

impl Checker {
    pub(super) fn new(election: ElectionId, policy: Policy) -> Self {
        let (agreed, statements, receipts) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { election, policy, agreed, final_size: 0, statements, receipts, cosigned: 0 }
    }

    /// An honest authority lets this request go.
    pub(super) fn on_request(
        &mut self,
        view: Option<ElectionView<'_>>,
        request: &Request,
    ) -> Result<(), Violation> {
        let Request::Txn(txn) = request else { return Ok(()) };
        for operation in &txn.success {
            let TxnOperation::Put(put) = operation else { continue };
            match Key::parse(&put.key) {
                Some((id, Key::Cosignature { size, authority })) if id == self.election => {
                    let view = view.expect("who cosigns knows the election");
                    self.on_cosigned(view, size, authority)?;
                }
                Some((id, key @ Key::Round { .. })) if id == self.election => {
                    self.on_statement(key, &put.value)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// V1: one ledger under all cosignatures.
    fn on_cosigned(
        &mut self,
        view: ElectionView<'_>,
        size: u64,
        authority: u8,
    ) -> Result<(), Violation> {
        self.cosigned += 1;
        let Some(own) = view.fold().tree().leaves().get(..size as usize) else {
            return broken("V1", format!("authority {authority} cosigns {size} leaves it lacks"));
        };
        let both = own.len().min(self.agreed.len());
        if let Some(at) = (0..both).find(|at| own[*at] != self.agreed[*at]) {
            let what = format!("authority {authority} cosigns {size} leaves, but leaf {at}");
            return broken("V1", format!("{what} differs from what was cosigned before"));
        }
        if own.len() > self.agreed.len() {
            self.agreed = own.to_vec();
        }
        Ok(())
    }

    /// V2: one statement for each place.
    fn on_statement(&mut self, key: Key, value: &[u8]) -> Result<(), Violation> {
        let Key::Round { height, round, step, authority } = key else { return Ok(()) };
        let said = value.get(..VOTE_BYTES).and_then(Vote::decode);
        let Some(said) = said.map(|vote| vote.encode()) else {
            return broken("V2", format!("authority {authority} posts no statement at {key:?}"));
        };
        let place = (authority, height, round, step);
        let before = self.statements.entry(place).or_insert_with(|| said.clone());
        if *before != said {
            return broken("V2", format!("authority {authority} said two things at {key:?}"));
        }
        Ok(())
    }

    /// V3, as soon as somebody calls leaves final.
    pub(super) fn on_final(&mut self, view: ElectionView<'_>, size: u64) -> Result<(), Violation> {
        self.final_size = self.final_size.max(size);
        self.holds_final(view, size)
    }

    fn holds_final(&self, view: ElectionView<'_>, size: u64) -> Result<(), Violation> {
        let own = view.fold().tree().leaves();
        let agreed = self.agreed.get(..size as usize);
        let Some(agreed) = agreed else {
            let cosigned = self.agreed.len();
            return broken(
                "V3",
                format!("{size} leaves are called final, {cosigned} are cosigned"),
            );
        };
        if own.get(..size as usize) != Some(agreed) {
            let held = own.len();
            return broken("V3", format!("not all of {size} final leaves are held, of {held}"));
        }
        Ok(())
    }

    /// A voter got a receipt and checks it as anybody can.
    pub(super) fn on_receipt(&mut self, held: Held) -> Result<(), Violation> {
        if let Err(error) = held.receipt.verify(&self.policy, held.leaf) {
            return broken("V4", format!("voter {} holds a bad receipt: {error}", held.voter));
        }
        self.receipts.push(held);
        Ok(())
    }

    /// V3 to V5 at the end, at one honest authority.
    pub(super) fn at_the_end(&self, view: ElectionView<'_>, voters: u32) -> Result<(), Violation> {
        self.holds_final(view, self.final_size)?;
        let leaves = view.fold().leaves();
        for held in &self.receipts {
            let leaf = leaves.get(held.receipt.index as usize).map(|leaf| leaf_hash(leaf));
            if leaf != Some(held.leaf) || held.receipt.index >= view.final_size() {
                let voter = held.voter;
                return broken("V4", format!("voter {voter}'s receipt is not in the ledger"));
            }
        }
        let turnout = view.fold().turnout();
        if turnout.voters != voters {
            return broken("V5", format!("{} of {voters} have voted", turnout.voters));
        }
        let checkpoint = view.final_checkpoint();
        let signed = checkpoint.is_some_and(|checkpoint| self.policy.verify(&checkpoint).is_ok());
        if signed { Ok(()) } else { broken("V5", "the last checkpoint has no quorum".to_owned()) }
    }
}
