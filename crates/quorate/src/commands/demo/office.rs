//! What administrator, issuer, trustees and auditor do, each by the command that they would type.

use super::Failure;
use super::casting::read_codes;
use super::children::{Program, failed};
use super::folder::Folder;
use super::scenario::Scenario;
use crate::exit;
use crate::http::{ApiClient, Content, Reply};
use ballot::Code;
use election::ElectionId;
use futures::future::try_join_all;
use ledger::{Policy, SignedCheckpoint};
use reqwest::Method;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Trustees of the election; two of them can decrypt.
const TRUSTEES: u8 = 3;
/// The two that do.
const COUNTING_TRUSTEES: [u8; 2] = [1, 3];
/// How long ceremony and opening may take together.
const OPEN_PATIENCE: Duration = Duration::from_secs(180);
/// How long all authorities may take to sign the end of the ledger.
const COSIGN_PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const POLL: Duration = Duration::from_millis(250);

/// The offices of one election.
pub(super) struct Office<'a> {
    program: Program,
    folder: &'a Folder,
    nodes: Vec<String>,
    election: ElectionId,
}

/// The end of the ledger, signed.
pub(super) struct Signed {
    /// The node that holds it.
    pub(super) node: String,
    /// Leaves.
    pub(super) size: u64,
    /// Numbers of the authorities that signed, from 1.
    pub(super) signers: Vec<usize>,
    /// Names of all authorities.
    pub(super) names: Vec<String>,
}

impl<'a> Office<'a> {
    /// The administrator announces the election.
    pub(super) async fn create(
        program: &Program,
        folder: &'a Folder,
        nodes: Vec<String>,
        scenario: &Scenario,
    ) -> Result<Self, Failure> {
        let program = program.clone().with(vec![
            ("QUORATE_NODES", nodes.join(",")),
            ("QUORATE_TOKEN_FILE", folder.file("token")),
        ]);
        folder.write("definition.toml", &scenario.definition())?;
        let definition = folder.file("definition.toml");
        let key = folder.file("admin.key");
        let said = program.run(&["election", "create", &definition, "--admin-key", &key]).await?;
        let election = said.split_whitespace().find_map(|word| word.parse().ok());
        let election = election.ok_or_else(|| {
            Failure::new(exit::FAILED, format!("election create has not told the id: {said}"))
        })?;
        Ok(Self { program, folder, nodes, election })
    }

    /// The election.
    pub(super) fn election(&self) -> ElectionId {
        self.election
    }

    /// The issuer makes the voters' codes; the administrator gets the public roll only.
    pub(super) async fn enrol(
        &self,
        scenario: &Scenario,
        seed: Option<u64>,
    ) -> Result<BTreeMap<String, Code>, Failure> {
        self.folder.write("voters.csv", &scenario.roll())?;
        let id = self.election.to_string();
        let (voters, out) = (self.folder.file("voters.csv"), self.folder.file("issuer"));
        let seed = seed.map(|seed| seed.to_string());
        let mut arguments =
            vec!["issuer", "codes", "--election", &id, "--roll", &voters, "--out", &out];
        if let Some(seed) = &seed {
            arguments.extend(["--seed", seed]);
        }
        self.program.run(&arguments).await?;
        let roll = self.folder.file("issuer/public-roll.csv");
        self.program.run(&["election", "roll", &id, &roll]).await?;
        read_codes(&self.folder.read("issuer/codes.csv")?)
    }

    /// The trustees make the key, all at once; the administrator opens when they are done.
    pub(super) async fn open(&self) -> Result<(), Failure> {
        let trustees = try_join_all((1..=TRUSTEES).map(|number| self.ceremony(number)));
        let opening = async {
            let id = self.election.to_string();
            let key = self.folder.file("admin.key");
            let arguments = ["election", "open", &id, "--admin-key", &key];
            let started = Instant::now();
            loop {
                let (code, output, complaint) = self.program.attempt(&arguments).await?;
                if code == Some(0) {
                    return Ok(());
                }
                if started.elapsed() > OPEN_PATIENCE {
                    return Err(failed(&arguments, code, &format!("{output}{complaint}")));
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let both = futures::future::try_join(trustees, opening);
        both.await.map(drop)
    }

    async fn ceremony(&self, number: u8) -> Result<(), Failure> {
        let name = format!("trustee-{number}");
        let mut passphrase = hex::encode(crate::random::bytes::<16>());
        passphrase.push('\n');
        self.folder.write(&format!("{name}/passphrase"), &passphrase)?;
        self.as_trustee("ceremony", number).await
    }

    async fn as_trustee(&self, what: &str, number: u8) -> Result<(), Failure> {
        let (id, name) = (self.election.to_string(), format!("trustee-{number}"));
        let secret = self.folder.file(&format!("{name}/secret"));
        let passphrase = self.folder.file(&format!("{name}/passphrase"));
        let number = number.to_string();
        let trustee = ["--trustee", &number, "--secret", &secret, "--passphrase-file", &passphrase];
        let arguments = [&["election", what, &id], &trustee[..]].concat();
        self.program.run(&arguments).await.map(drop)
    }

    /// The administrator closes the vote.
    pub(super) async fn close(&self) -> Result<(), Failure> {
        let (id, key) = (self.election.to_string(), self.folder.file("admin.key"));
        self.program.run(&["election", "close", &id, "--admin-key", &key]).await.map(drop)
    }

    /// Two trustees decrypt the sums; gives the published result by contest and option.
    pub(super) async fn tally(&self) -> Result<Vec<Vec<u64>>, Failure> {
        for number in COUNTING_TRUSTEES {
            self.as_trustee("tally", number).await?;
        }
        let id = self.election.to_string();
        let json = self.program.run(&["election", "results", &id, "--json"]).await?;
        super::results::counts(&json)
            .map_err(Failure::because(exit::FAILED, "election results --json"))
    }

    /// Waits until the end of the ledger is signed by all authorities, or by a quorum when not
    /// all of them come; gives the node that holds most cosignatures.
    pub(super) async fn wait_signed(&self) -> Result<Signed, Failure> {
        let api = ApiClient::new(&self.nodes, None)?;
        let trust = api.get_bytes(&format!("/api/v1/elections/{}/trust", self.election)).await?;
        let trust = String::from_utf8_lossy(&trust).into_owned();
        let policy =
            Policy::parse(&trust).map_err(Failure::because(exit::FAILED, "trust of a node"))?;
        let names: Vec<String> =
            policy.authorities().iter().map(|key| key.name().to_owned()).collect();
        let started = Instant::now();
        loop {
            let size = api.election(self.election).await?.leaves;
            let mut best: Option<Signed> = None;
            for place in 0..self.nodes.len() {
                let Some(note) = self.checkpoint(&api, place).await else { continue };
                let signers = policy.signers(&note).unwrap_or_default();
                let most = best.as_ref().map_or(0, |best| best.signers.len());
                if note.checkpoint.size == size && signers.len() > most {
                    let (node, names) = (self.nodes[place].clone(), names.clone());
                    best = Some(Signed { node, size, signers, names });
                }
            }
            let is_late = started.elapsed() > COSIGN_PATIENCE;
            match best {
                Some(best) if best.signers.len() == names.len() || is_late => return Ok(best),
                None if is_late => {
                    let message = format!("no checkpoint of all {size} leaves became final");
                    return Err(Failure::new(exit::FAILED, message));
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn checkpoint(&self, api: &ApiClient, place: usize) -> Option<SignedCheckpoint> {
        let path = format!("/api/v1/elections/{}/checkpoint", self.election);
        match api.ask_once(place, Method::GET, &path, &Content::None).await {
            Reply::Done { body, .. } => SignedCheckpoint::parse(&body).ok(),
            Reply::Refused(_) | Reply::NotNow(_) => None,
        }
    }

    /// The auditor takes the archive from one node.
    pub(super) async fn export(&self, node: &str, archive: &Path) -> Result<(), Failure> {
        let (id, out) = (self.election.to_string(), archive.display().to_string());
        self.program
            .run(&["election", "--nodes", node, "export", &id, "--out", &out])
            .await
            .map(drop)
    }

    /// The auditor verifies: exit code 0 or not, and the last line of what was said.
    pub(super) async fn verify(&self, archive: &Path) -> Result<String, Failure> {
        let (archive, trust) = paths(archive);
        let said = self.program.run(&["verify", &archive, "--trust", &trust]).await?;
        let checks = said.lines().filter(|line| line.contains(": ok.")).count();
        Ok(format!("verified, {checks} checks passed"))
    }

    /// A separate process counts the saved receipts: those in the archive, and those absent.
    pub(super) async fn count_receipts(
        &self,
        archive: &Path,
        receipts: &Path,
    ) -> Result<(usize, usize), Failure> {
        let (archive, trust) = paths(archive);
        let receipts = receipts.display().to_string();
        let arguments = ["verify", &archive, "--trust", &trust, "--receipts", &receipts];
        let (code, said, complaint) = self.program.attempt(&arguments).await?;
        let counted = said.lines().find_map(|line| {
            let (present, absent) = line.strip_prefix("receipts: ")?.split_once(" final, ")?;
            Some((present.parse().ok()?, absent.strip_suffix(" absent")?.parse().ok()?))
        });
        counted.ok_or_else(|| failed(&arguments, code, &format!("{said}{complaint}")))
    }
}

fn paths(archive: &Path) -> (String, String) {
    (archive.display().to_string(), format!("{}.trust", archive.display()))
}
