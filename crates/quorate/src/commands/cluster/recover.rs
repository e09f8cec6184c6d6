//! `quorate cluster recover`: one member's folder goes on alone.

use crate::commands::Failure;
use crate::exit;
use node::recovery::{self, Findings};
use std::net::SocketAddr;
use std::path::Path;

pub(super) fn run(data_dir: &Path, execute: bool, bind: SocketAddr) -> Result<(), Failure> {
    let failed = |error: recovery::RecoveryError| Failure::new(exit::FAILED, error);
    let findings = recovery::inspect(data_dir).map_err(failed)?;
    print!("{}", shown(&findings));
    if !execute {
        println!("nothing was changed; add --execute to go on with this folder alone");
        return Ok(());
    }
    let cluster = getrandom::u64()
        .map_err(Failure::because(exit::FAILED, "no randomness from the system"))?;
    let index = recovery::take_over(data_dir, cluster, &bind.to_string()).map_err(failed)?;
    let Findings { member, .. } = findings;
    println!("done: entry {index} makes member {member} the only one of cluster {cluster:016x}");
    println!("start it:");
    println!(
        "  quorate serve --node-id {member} --bind {bind} --cluster-id {cluster:016x} \
         --data-dir {}",
        data_dir.display()
    );
    println!("then take new members in with `quorate cluster add`, under new numbers");
    Ok(())
}

/// What was found, and what may be lost, in plain words.
fn shown(findings: &Findings) -> String {
    let Findings { cluster, member, term, last, members, others, loss, folders } = findings;
    let mut text = format!(
        "member {member} of cluster {cluster:016x}, term {term}, members {members}\n\
         its log ends with entry {} of term {}\n",
        last.1, last.0
    );
    if let Some(loss) = loss {
        text.push_str(&format!("its log is damaged: {loss}; another member's may be better\n"));
    }
    text.push_str(&format!(
        "what may be lost: everything acknowledged that only the {others} others hold, which is \
         whatever came after entry {}.\n\
         what may appear: entries at the end of this log whose writers were never told that they \
         were stored.\n\
         compare the log ends of all folders that are left and choose the last one; the others \
         are fenced off: they belong to the old cluster and cannot come back.\n",
        last.1
    ));
    for folder in folders {
        text.push_str(&format!("  {}\n", folder.display()));
    }
    text
}
