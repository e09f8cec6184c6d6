//! The numbered checks.

use std::collections::BTreeSet;

use election::{
    ArchiveBytes, ArchiveError, Manifest, Phase, Refusal, StoredArchive, Turnout, entry::Kind,
    refusal::code, succession::Successions,
};
use ledger::{AuthorityKey, Policy};

use crate::{
    entries::{Outcome, Refused},
    report::{Check, Facts, Finding, Report, Verdict},
};

/// The checks in the order of their numbers, which start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Title {
    /// Layout, leaf hashes and checksum.
    Archive,
    /// The manifest's authorities are those of the trust file.
    Trust,
    /// All hashes up to the root of the final checkpoint.
    Tree,
    /// A quorum on the final checkpoint, and no false cosignature anywhere.
    Cosignatures,
    /// Every other checkpoint is a prefix.
    Prefixes,
    /// Rules and signatures of the manifest.
    Manifest,
    /// Order, keys, root and weight.
    Roll,
    /// The trustees' messages and the keys that follow from them.
    Ceremony,
    /// Appenders, stamps and phases.
    Entries,
    /// Layout, credential, chain, no copied ciphertext, signature.
    Ballots,
    /// Proofs of valid votes.
    Proofs,
    /// Last ballot of each credential, weighted sums.
    Sums,
    /// Proofs of the decryption shares.
    Shares,
    /// Counts.
    Result,
}

impl Title {
    pub(crate) const ALL: [Self; 14] = [
        Self::Archive,
        Self::Trust,
        Self::Tree,
        Self::Cosignatures,
        Self::Prefixes,
        Self::Manifest,
        Self::Roll,
        Self::Ceremony,
        Self::Entries,
        Self::Ballots,
        Self::Proofs,
        Self::Sums,
        Self::Shares,
        Self::Result,
    ];

    /// Its number in reports.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    fn text(self) -> &'static str {
        match self {
            Self::Archive => "The archive is whole",
            Self::Trust => "The authorities are those of the trust file",
            Self::Tree => "The leaves have the root of the final checkpoint",
            Self::Cosignatures => "A quorum of authorities signed the final checkpoint",
            Self::Prefixes => "Every earlier checkpoint is a prefix",
            Self::Manifest => "The manifest is valid and signed by all who must",
            Self::Roll => "The roll is the one the manifest names",
            Self::Ceremony => "The trustees made the election's key together",
            Self::Entries => "Every entry has its place and its appender's signature",
            Self::Ballots => "Every ballot is by somebody on the roll and follows the rules",
            Self::Proofs => "Every ballot is proven to be a valid vote",
            Self::Sums => "The last ballot of each voter counts, once",
            Self::Shares => "Every decryption share is proven",
            Self::Result => "The result is what the shares decrypt to",
        }
    }

    pub(crate) fn check(self, finding: Finding, detail: impl Into<String>) -> Check {
        Check { number: self.number(), title: self.text(), finding, detail: detail.into() }
    }
}

/// A verification under way.
pub(crate) struct Run<'a, S> {
    archive: &'a StoredArchive<S>,
    trust: Option<&'a Policy>,
    /// What leaf 0 says, not checked yet.
    manifest: Option<Manifest>,
    /// What the leaves say of changed keys, not checked yet.
    successions: Successions,
    checks: Vec<Check>,
}

impl<'a, S: ArchiveBytes> Run<'a, S> {
    pub(crate) fn new(
        archive: &'a StoredArchive<S>,
        trust: Option<&'a Policy>,
    ) -> Result<Self, ArchiveError> {
        let manifest = archive.manifest()?;
        let successions = archive.successions(manifest.as_ref())?;
        let mut run = Self { archive, trust, manifest, successions, checks: Vec::new() };
        run.pass(Title::Archive, format!("{} leaves have their hashes.", archive.tree().size()));
        Ok(run)
    }

    fn pass(&mut self, title: Title, detail: impl Into<String>) {
        self.checks.push(title.check(Finding::Passed, detail));
    }

    fn fail(&mut self, title: Title, detail: impl Into<String>) {
        self.checks.push(title.check(Finding::Failed, detail));
    }

    fn end(&mut self, title: Title, outcome: Result<String, String>) {
        match outcome {
            Ok(detail) => self.pass(title, detail),
            Err(detail) => self.fail(title, detail),
        }
    }

    pub(crate) fn check_trust(&mut self) {
        let Some(trust) = self.trust else {
            let detail = "No trust file was given, so whose signatures count is not known.";
            self.checks.push(Title::Trust.check(Finding::NotMade, detail));
            return;
        };
        let outcome = compare_trust(trust, self.manifest.as_ref());
        self.end(Title::Trust, outcome);
    }

    pub(crate) fn check_tree(&mut self) {
        let named = &self.archive.final_checkpoint().checkpoint;
        let (size, root) = (self.archive.tree().size(), self.archive.tree().root());
        let outcome = if named.size != size {
            Err(format!("The final checkpoint is about {} leaves; there are {size}.", named.size))
        } else if named.root != root {
            Err(format!("The leaves have root {root}; the final checkpoint names {}.", named.root))
        } else {
            Ok(format!("{size} leaves have root {root}."))
        };
        self.end(Title::Tree, outcome);
    }

    pub(crate) fn check_cosignatures(&mut self) {
        let outcome = self.verify_cosignatures();
        self.end(Title::Cosignatures, outcome);
    }

    /// The trust file's keys count; without one, those that the manifest names.
    fn verify_cosignatures(&self) -> Result<String, String> {
        let own = self.manifest.as_ref().and_then(|manifest| manifest.policy().ok());
        let Some(policy) = self.trust.or(own.as_ref()) else {
            return Err("The manifest is not readable, so no authority is known.".to_owned());
        };
        let successions = &self.successions;
        for note in self.archive.checkpoints() {
            let size = note.checkpoint.size;
            let policy = successions.policy_at(policy, size);
            let signers =
                policy.signers(note).map_err(|error| format!("At size {size}: {error}."))?;
            // In an archive there is no room for signatures that nobody here can check.
            if signers.len() < note.signatures().len() {
                return Err(format!("At size {size}: somebody who is no authority has signed."));
            }
        }
        let note = self.archive.final_checkpoint();
        let origin = self.manifest.as_ref().map(Manifest::origin);
        if origin.as_ref().is_some_and(|origin| *origin != note.checkpoint.origin) {
            return Err(format!("They signed another log, {}.", note.checkpoint.origin));
        }
        let policy = successions.policy_at(policy, note.checkpoint.size);
        let signers = policy.verify(note).map_err(|error| format!("{error}."))?;
        let names: Vec<&str> =
            signers.iter().map(|number| policy.authorities()[number - 1].name()).collect();
        Ok(format!("{} signed it; {} are needed.", names.join(", "), policy.quorum()))
    }

    pub(crate) fn check_prefixes(&mut self) {
        let last = self.archive.final_checkpoint();
        let checkpoints = self.archive.checkpoints();
        let earlier = &checkpoints[..checkpoints.len() - 1];
        let wrong = checkpoints.iter().find(|note| {
            let checkpoint = &note.checkpoint;
            self.archive.tree().root_at(checkpoint.size) != Some(checkpoint.root)
                || checkpoint.origin != last.checkpoint.origin
        });
        let outcome = match wrong {
            None => Ok(format!("{} earlier checkpoints.", earlier.len())),
            Some(note) => Err(format!(
                "The checkpoint of size {} is not a prefix of these leaves.",
                note.checkpoint.size
            )),
        };
        self.end(Title::Prefixes, outcome);
    }

    /// Turns what the fold said into the checks from the manifest to the result.
    pub(crate) fn check_entries(&mut self, outcome: &Outcome) {
        let refused = outcome.refused.as_ref();
        let failed = refused.map(title_of);
        for title in &Title::ALL[Title::Manifest as usize..] {
            let (finding, detail) = match (refused, failed) {
                (Some(refused), Some(failed)) if failed == *title => {
                    let Refused { index, refusal: Refusal { sentence, .. }, .. } = refused;
                    (Finding::Failed, format!("Entry {index}: {sentence}"))
                }
                (Some(refused), _) => {
                    let detail = format!("Entry {} is not right.", refused.index);
                    (Finding::NotMade, detail)
                }
                (None, _) => established(*title, outcome),
            };
            self.checks.push(title.check(finding, detail));
        }
    }

    pub(crate) fn finish(self, outcome: &Outcome) -> Report {
        let entry = outcome.refused.as_ref().map(|refused| refused.index);
        let failed = self.checks.iter().find(|check| check.finding == Finding::Failed);
        let verdict = match failed {
            Some(check) => {
                Verdict::NotVerified { check: check.number, sentence: check.detail.clone(), entry }
            }
            None if outcome.fold.phase() != Phase::Published => Verdict::CouldNotCheck {
                sentence: "The archive ends before the result.".to_owned(),
            },
            None if self.trust.is_none() => Verdict::ConsistentNotAnchored,
            None => Verdict::Verified,
        };
        let fold = &outcome.fold;
        let manifest = fold.manifest().cloned().or_else(|| self.manifest.clone());
        let facts = manifest.map(|manifest| Facts {
            election: manifest.id,
            origin: manifest.origin(),
            fingerprint: manifest.fingerprint().0,
            size: self.archive.tree().size(),
            root: self.archive.tree().root(),
            turnout: fold.turnout(),
            result: fold.result().cloned(),
            manifest,
        });
        Report { checks: self.checks, verdict, facts }
    }
}

fn compare_trust(trust: &Policy, manifest: Option<&Manifest>) -> Result<String, String> {
    let Some(manifest) = manifest else {
        return Err("The first leaf is no readable manifest.".to_owned());
    };
    let origin = manifest.origin();
    if !trust.origin().covers(&origin) {
        return Err(format!(
            "The archive is of {origin}; the trust file speaks about {}.",
            trust.origin()
        ));
    }
    let named = manifest.authorities.iter().map(|authority| key_of(&authority.key));
    let trusted = trust.authorities().iter().map(key_of);
    if named.collect::<BTreeSet<_>>() != trusted.collect() {
        return Err("The manifest names other authorities than the trust file.".to_owned());
    }
    if usize::from(manifest.faulty) != trust.faulty() {
        return Err(format!(
            "The manifest allows {} malicious authorities, the trust file {}.",
            manifest.faulty,
            trust.faulty()
        ));
    }
    Ok(format!("{} authorities, quorum {}.", trust.authorities().len(), trust.quorum()))
}

/// Name and bytes of a key: what makes two of them the same, in whatever order they are listed.
fn key_of(key: &AuthorityKey) -> (&str, &[u8; 32]) {
    (key.name(), key.public())
}

/// The check that a refused leaf fails.
fn title_of(refused: &Refused) -> Title {
    let general = [
        code::UNKNOWN_APPENDER,
        code::STAMP_OUT_OF_RANGE,
        code::WRONG_PHASE,
        code::NO_MANIFEST,
        code::TOO_EARLY,
        code::TOO_LATE,
        code::PAUSED,
    ];
    match refused.kind {
        Some(Kind::Manifest) => Title::Manifest,
        None => Title::Entries,
        Some(_) if general.contains(&refused.refusal.code) => Title::Entries,
        Some(Kind::Endorsement) => Title::Manifest,
        Some(Kind::RollChunk) => Title::Roll,
        Some(Kind::Ceremony) => Title::Ceremony,
        Some(Kind::Ballot)
            if [code::BAD_PROOF, code::BAD_ANSWER].contains(&refused.refusal.code) =>
        {
            Title::Proofs
        }
        Some(Kind::Ballot) => Title::Ballots,
        Some(Kind::Share) => Title::Shares,
        Some(Kind::Result) => Title::Result,
        Some(
            Kind::Open
            | Kind::Close
            | Kind::AuthorityKey
            | Kind::Pause
            | Kind::Resume
            | Kind::Extension
            | Kind::Reset
            | Kind::RollChange
            | Kind::PaperMark,
        ) => Title::Entries,
    }
}

/// The roll, and how it was changed.
fn roll(turnout: &Turnout) -> String {
    let Turnout { roll_voters, roll_weight, added, withdrawn, replaced, .. } = turnout;
    let changes = format!(
        ", of whom {added} were added and {replaced} got another code since the opening; \
         {withdrawn} were withdrawn"
    );
    let changes = if added + withdrawn + replaced > 0 { changes } else { String::new() };
    format!("{roll_voters} voters of total weight {roll_weight}{changes}.")
}

/// The counts, and what quorum, majority and tie rule make of them.
fn result(result: &election::Outcome, manifest: &Manifest) -> String {
    let contests = manifest.definition.contests.iter();
    let decided = result.decisions(&manifest.definition).into_iter();
    let told = contests.zip(decided).zip(1..).map(|((contest, decided), number)| {
        let named = |text: &str, options: &[u16]| {
            let texts = options.iter().filter_map(|at| contest.option_text(usize::from(*at)));
            let texts: Vec<&str> = texts.collect();
            let told = format!(", {text} {}", texts.join(", "));
            if texts.is_empty() { String::new() } else { told }
        };
        let won = named("won by", &decided.winners);
        let tied = named("tied are", &decided.tied);
        format!(" Contest {number}: {}{won}{tied}.", decided.finding.name())
    });
    format!("{result}.{}", told.collect::<String>())
}

/// Ballots that count, and who does not vote here.
fn sums(turnout: &Turnout) -> String {
    let Turnout { voters, weight, ballots, paper, .. } = turnout;
    let on_paper = format!(" {paper} vote on paper.");
    let on_paper = if paper.voters > 0 { on_paper } else { String::new() };
    let replaced = ballots - u64::from(*voters);
    format!("{voters} ballots of weight {weight} count, {replaced} were replaced.{on_paper}")
}

/// What a fold without a refused leaf has established.
fn established(title: Title, outcome: &Outcome) -> (Finding, String) {
    let fold = &outcome.fold;
    let turnout = fold.turnout();
    let Some(manifest) = fold.manifest() else {
        return (Finding::NotMade, "There is no manifest.".to_owned());
    };
    let missing = |text: &str| (Finding::NotMade, text.to_owned());
    let detail = match (title, fold.phase()) {
        (_, Phase::Setup { .. }) if title <= Title::Ceremony => {
            return missing("The archive ends before the opening.");
        }
        (Title::Ballots | Title::Proofs, Phase::Setup { .. }) => {
            return missing("The archive ends before the opening.");
        }
        (Title::Sums, Phase::Setup { .. } | Phase::Open | Phase::Paused) => {
            return missing("The archive ends before the close.");
        }
        (Title::Shares | Title::Result, phase) if phase != Phase::Published => {
            return missing("The archive ends before the result.");
        }
        (Title::Manifest, _) => format!(
            "Signed by the administrator, all {} trustees and {} of {} authorities or more.",
            manifest.trustees.len(),
            manifest.quorum(),
            manifest.authorities.len()
        ),
        (Title::Roll, _) => roll(&turnout),
        (Title::Ceremony | Title::Shares, _) if manifest.trustees.is_empty() => {
            "An open poll needs none.".to_owned()
        }
        (Title::Ceremony, _) => format!(
            "Any {} of {} trustees can decrypt.",
            manifest.definition.threshold,
            manifest.trustees.len()
        ),
        (Title::Entries, _) => format!("{} entries.", fold.tree().size()),
        (Title::Ballots | Title::Proofs, _) => format!("{} ballots.", turnout.ballots),
        (Title::Sums, _) => sums(&turnout),
        (Title::Shares, _) => {
            format!("At least {} shares.", manifest.definition.threshold)
        }
        (Title::Result, _) => fold.result().map(|one| result(one, manifest)).unwrap_or_default(),
        (
            Title::Archive | Title::Trust | Title::Tree | Title::Cosignatures | Title::Prefixes,
            _,
        ) => unreachable!("these checks are made before the entries are read"),
    };
    (Finding::Passed, detail)
}
