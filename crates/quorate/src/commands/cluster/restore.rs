//! `quorate cluster restore`: one node of a new cluster out of a backup.

use super::backup::{seen, told};
use crate::commands::{Failure, progress};
use crate::{config, exit};
use clap::Args;
use node::backup::{self, RestoreOrder, Restored};
use std::path::PathBuf;

/// What is to be made.
#[derive(Args, Debug)]
pub(super) struct RestoreCommand {
    /// The backup
    file: PathBuf,
    /// The folder to make; it must not be there, or be empty
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// This node's number in the new cluster
    #[arg(long, value_name = "N", default_value_t = 1)]
    node_id: u64,
    /// All nodes of the new cluster with their peer addresses; the same list for every node
    #[arg(long, value_name = "1=ADDR,2=ADDR,…", default_value = "1=127.0.0.1:7101")]
    cluster: String,
    /// A name for the new cluster; another one when the same file is restored at the same
    /// addresses once more
    #[arg(long, value_name = "NAME", default_value = "")]
    cluster_name: String,
    /// The authority's folder of the old node N, to take its key and journal along
    #[arg(long, value_name = "DIR")]
    authority: Option<PathBuf>,
    /// Check the backup and say what would be made
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(command: &RestoreCommand) -> Result<(), Failure> {
    let members = config::parse_cluster(&command.cluster)
        .map_err(|error| Failure::new(exit::BAD_CONFIG, error))?;
    let salt = getrandom::u64()
        .map_err(Failure::because(exit::FAILED, "no randomness from the system"))?;
    let order = RestoreOrder {
        file: command.file.clone(),
        data_dir: command.data_dir.clone(),
        member: command.node_id,
        members,
        name: command.cluster_name.clone(),
        authority: command.authority.clone(),
        salt,
    };
    let wrong = |error| Failure::new(exit::BAD_DATA, error);
    let bar = progress::bar_on_stderr(if command.dry_run { "checking" } else { "restoring" });
    let mut show = |read, all| seen(&bar, read, all);
    let restored = match command.dry_run {
        true => backup::plan(&order, &mut show),
        false => backup::restore(&order, &mut show),
    };
    bar.finish_and_clear();
    let restored = restored.map_err(wrong)?;
    print!("{}", shown(command, &restored));
    Ok(())
}

fn shown(command: &RestoreCommand, restored: &Restored) -> String {
    let RestoreCommand { data_dir, node_id, cluster, dry_run, .. } = command;
    let Restored { facts, sum, cluster: id } = restored;
    let folder = data_dir.display();
    let what = match dry_run {
        true => format!("the backup is whole; nothing was made in {folder}"),
        false => format!("{folder} is node {node_id} of the new cluster {id:016x}"),
    };
    format!(
        "sha256 {sum}\n{}\n{what}\n\
         restore every node of the list from this file, then start each:\n  \
         quorate serve --node-id {node_id} --cluster-id {id:016x} --cluster {cluster} \
         --data-dir {folder}\n",
        told(facts)
    )
}
