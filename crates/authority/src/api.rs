//! What an authority hears, orders, answers and tells: its vocabulary.

use ballot::Tracker;
use bytes::Bytes;
use election::{ElectionId, Refusal, SignedOrder, SignedRefusal, Succession};
use kv::api::{Request, Response, WatchRequest, WatchResponse};
use ledger::SignedCheckpoint;

use crate::rounds::Timeouts;

/// What does not change while the process lives.
#[derive(Clone, Debug)]
pub struct Config {
    /// Number of this authority, from 1, as manifests name it.
    pub index: u8,
    /// Name in its verifier key, like `node-1.vote.example`.
    pub name: String,
    /// How many malicious authorities a manifest must tolerate before this one endorses it.
    pub faulty: u8,
    /// From the operating system, fresh for each process: seeds the random weights with which
    /// ballots are verified in batches. Who can guess it can have a wrong proof accepted here.
    pub batch_seed: [u8; 32],
    /// Of the finality rounds.
    pub timeouts: Timeouts,
    /// How often the store is asked whether it still holds what it showed, in milliseconds.
    pub audit_ms: u64,
    /// Most ballots that wait to be ordered, over all elections; more are answered `Overloaded`.
    pub queue_max: usize,
    /// A seeded bug.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::Mutant>,
}

impl Config {
    /// Usual values around a number, a name and a seed.
    pub fn new(index: u8, name: &str, batch_seed: [u8; 32]) -> Self {
        Self {
            index,
            name: name.to_owned(),
            faulty: 0,
            batch_seed,
            timeouts: Timeouts::default(),
            audit_ms: 2_000,
            queue_max: 10_000,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }

    pub(crate) fn mutant(&self) -> Option<crate::mutant::Mutant> {
        #[cfg(feature = "mutants")]
        return self.mutant;
        #[cfg(not(feature = "mutants"))]
        None
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The process has started; once, first.
    Started,
    /// It is `now_ms` by a clock that never runs backwards in this process, and `minutes` since
    /// 1970 by the cluster's clock. A few times per second at least: nothing waits for less.
    Ticked {
        /// Milliseconds since anything.
        now_ms: u64,
        /// Minutes since 1970 UTC.
        minutes: u32,
    },
    /// A call has ended. Every call ends, if need be by [`kv::api::Error::Timeout`].
    Replied {
        /// Which.
        call: u64,
        /// How.
        result: Result<Response, kv::api::Error>,
    },
    /// A watch delivers.
    Watched {
        /// Which.
        watch: u64,
        /// What.
        message: WatchResponse,
    },
    /// A watch is no more.
    WatchEnded {
        /// Which.
        watch: u64,
    },
    /// All records up to and with this ticket's are durable.
    Persisted {
        /// Which.
        ticket: u64,
    },
    /// A voter's ballot; answered once.
    Submitted {
        /// For the answer.
        ticket: u64,
        /// Which election.
        election: ElectionId,
        /// As the voter's client made it.
        ballot: Bytes,
    },
    /// An act of an administrator or trustee; answered once.
    Administered {
        /// For the answer.
        ticket: u64,
        /// Which election.
        election: ElectionId,
        /// What is to be done.
        act: Act,
    },
    /// Somebody holds this checkpoint, got from elsewhere than this authority's store: is it of
    /// the same ledger? Answered once.
    Compared {
        /// For the answer.
        ticket: u64,
        /// Which election.
        election: ElectionId,
        /// What they hold.
        note: Box<SignedCheckpoint>,
    },
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Call the store with [`kv::api::Access::Internal`].
    Call {
        /// For the reply.
        call: u64,
        /// What.
        request: Request,
    },
    /// Open a watch.
    Watch {
        /// For its messages.
        watch: u64,
        /// What.
        request: WatchRequest,
    },
    /// Close a watch; what it still delivers is ignored.
    Unwatch {
        /// Which.
        watch: u64,
    },
    /// Append to the journal and make durable, in order.
    Persist {
        /// For [`Event::Persisted`].
        ticket: u64,
        /// The bytes to give back to [`crate::Authority::new`].
        record: Bytes,
    },
    /// Answer a submission or an act.
    Answer {
        /// Whose.
        ticket: u64,
        /// What.
        answer: Answer,
    },
    /// Tell whoever is interested.
    Notify(Notice),
}

/// What administrators and trustees may do. Whoever passes it on has checked that the caller may;
/// signatures are checked here and again by every authority's fold.
#[derive(Clone, Debug)]
pub enum Act {
    /// Announces an election: canonical draft bytes, the administrator's signature.
    Create {
        /// See [`election::Draft`].
        draft: Bytes,
        /// Over it.
        signature: [u8; 64],
    },
    /// Sets the roll, all chunks at once; again until the manifest is sealed.
    ImportRoll {
        /// See [`election::Roll::chunks`].
        chunks: Vec<Bytes>,
    },
    /// Posts a trustee's message of the key ceremony; the first one for its place stays.
    Ceremony {
        /// The round, from 1.
        round: u8,
        /// Number of the trustee, from 1.
        trustee: u8,
        /// The message.
        message: Bytes,
    },
    /// Puts manifest, roll and ceremony into the ledger. Again, if it was interrupted.
    Seal {
        /// Canonical manifest bytes.
        manifest: Bytes,
        /// The administrator's, over its fingerprint.
        signature: [u8; 64],
    },
    /// A trustee endorses the manifest.
    Endorse {
        /// Number of the trustee, from 1.
        trustee: u8,
        /// Over the manifest's fingerprint.
        signature: [u8; 64],
    },
    /// Ballots are taken from here on.
    Open {
        /// The administrator's.
        signature: [u8; 64],
    },
    /// No ballot is taken from here on.
    Close {
        /// The administrator's.
        signature: [u8; 64],
    },
    /// Pauses, resumes, extends or resets the election, changes its roll, or marks a voter on
    /// paper.
    Order(SignedOrder),
    /// A trustee's decryption share.
    Share {
        /// Number of the trustee, from 1.
        trustee: u8,
        /// The share's bytes.
        share: Bytes,
    },
    /// The counts.
    Result {
        /// Canonical result bytes.
        result: Bytes,
    },
    /// An authority agrees to another one's new key: its operator has signed with its key. See
    /// [`election::succession`].
    Agree {
        /// The next change of a key.
        succession: Succession,
        /// Number of the authority that agrees.
        signer: u8,
        /// By the signer's key in force.
        signature: [u8; 64],
    },
}

/// How a submission or an act went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The ballot has its place in the order; whether it is a leaf, and final, follows.
    Ordered {
        /// Number of the entry, from 1.
        entry: u64,
        /// Its short name.
        tracker: Tracker,
    },
    /// The same bytes are a leaf already.
    AlreadyAccepted {
        /// Index of the leaf, from 0.
        leaf: u64,
        /// Its short name.
        tracker: Tracker,
    },
    /// Not taken; the signature makes this authority answer for it.
    Refused(SignedRefusal),
    /// Too many ballots wait, or this node is still catching up with the order: send it to another
    /// node, or later.
    Overloaded,
    /// No such election is known here (yet).
    UnknownElection,
    /// The act is done: stored, or ordered as these entries.
    Done {
        /// Numbers of the entries.
        entries: Vec<u64>,
    },
    /// The act is not possible.
    Impossible(Refusal),
    /// The store did not do it, for this reason; nothing is half-done that doing it again would
    /// not repair.
    Unavailable(kv::api::Error),
    /// What became of a checkpoint that somebody showed.
    Compared(Comparison),
}

/// How a checkpoint that somebody holds stands to the own ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It is a prefix of the own ledger.
    Consistent,
    /// It is larger than the own ledger; it is kept and compared when the own one has grown.
    Ahead,
    /// No authority of this election has signed it.
    Unsigned,
    /// An authority has signed it and it is no prefix of the own ledger. There is an alarm.
    SplitView,
}

/// What happened in an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An entry has its place in the order; whether it is a leaf follows at once.
    Ordered {
        /// Which election.
        election: ElectionId,
        /// Number of the entry.
        entry: u64,
        /// Its kind's name; `None` when it is no entry at all.
        kind: Option<&'static str>,
        /// Of a ballot.
        tracker: Option<Tracker>,
    },
    /// An entry was folded and is this leaf.
    Accepted {
        /// Which election.
        election: ElectionId,
        /// Number of the entry.
        entry: u64,
        /// Index of the leaf.
        leaf: u64,
    },
    /// An entry was folded and is no leaf.
    Refused {
        /// Which election.
        election: ElectionId,
        /// Number of the entry.
        entry: u64,
        /// Why.
        refusal: Refusal,
    },
    /// A quorum has cosigned: every leaf below `size` is final.
    Final {
        /// Which election.
        election: ElectionId,
        /// Leaves.
        size: u64,
        /// Root over them.
        root: [u8; 32],
    },
    /// The signed text of what is final, after [`Notice::Final`].
    Checkpoint {
        /// Which election.
        election: ElectionId,
        /// Leaves.
        size: u64,
        /// The checkpoint with a quorum of cosignatures.
        note: String,
    },
    /// Setup, open, closed, published.
    Phase {
        /// Which election.
        election: ElectionId,
        /// The phase's name.
        phase: &'static str,
    },
    /// Something that must not happen has happened; a person should look.
    Alarm {
        /// Which election.
        election: ElectionId,
        /// One of [`crate::alarm::code`].
        code: &'static str,
        /// What, as a sentence.
        what: String,
        /// The signed texts that prove it, if there are any.
        texts: Vec<String>,
    },
}
