//! `quorate user` and `quorate token`: accounts, and secrets for programs.

use super::Failure;
use crate::http::{ApiClient, Content, NodeArgs, block_on};
use crate::{exit, files};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Most pages of a list that are read.
const PAGES_MAX: usize = 10_000;

/// People with accounts.
///
/// The first administrator, with the token that a new cluster prints once:
///   quorate user add ada --role administrator --password-file P --token-file d1/admin-token
/// A role for one election:
///   quorate user add bob --role trustee@ELECTION --password-file P --token-file T
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct UserCommand {
    #[command(flatten)]
    nodes: NodeArgs,
    #[command(subcommand)]
    action: UserAction,
}

#[derive(Subcommand, Debug)]
enum UserAction {
    /// Make an account
    Add {
        /// 2 to 64 of a-z 0-9 . _ - @
        name: String,
        /// The person's name [default: NAME]
        #[arg(long, value_name = "TEXT")]
        display: Option<String>,
        /// administrator, election-officer, trustee or auditor; ROLE@ELECTION for one election
        #[arg(long = "role", value_name = "ROLE[@ELECTION]")]
        roles: Vec<String>,
        /// File that holds the password, at least 12 characters
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Issuer URL of the identity provider where the person logs in
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        /// Who the person is there [default: tied at the first login by e-mail address]
        #[arg(long, value_name = "SUBJECT", requires = "issuer")]
        subject: Option<String>,
    },
    /// All accounts with their roles
    List,
    /// Set the roles of an account, all of them
    Roles {
        /// The account
        name: String,
        /// See `add`; without any the account may do nothing
        #[arg(long = "role", value_name = "ROLE[@ELECTION]")]
        roles: Vec<String>,
    },
    /// Lock an account; its sessions end within a second
    Lock {
        /// The account
        name: String,
    },
    /// Let a locked account in again
    Unlock {
        /// The account
        name: String,
    },
    /// End all sessions of an account
    Logout {
        /// The account
        name: String,
    },
    /// Set the password of another account
    Password {
        /// The account
        name: String,
        /// File that holds the new password
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Delete an account
    Remove {
        /// The account
        name: String,
    },
}

/// Secrets for programs that act for an account, with at most its rights.
#[derive(Args, Debug)]
pub(crate) struct TokenCommand {
    #[command(flatten)]
    nodes: NodeArgs,
    /// The account
    #[arg(long, global = true, value_name = "NAME", default_value = "")]
    user: String,
    /// File that holds its password
    #[arg(long, global = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Subcommand, Debug)]
enum TokenAction {
    /// Make a token and write it into a file that only its owner can read
    Make {
        /// What it is for
        name: String,
        /// See `quorate user add`
        #[arg(long = "role", value_name = "ROLE[@ELECTION]")]
        roles: Vec<String>,
        /// How long it is good
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        days: u64,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// The tokens of the account
    List,
    /// End a token
    End {
        /// Its id, as `list` shows it
        id: String,
    },
}

/// `quorate user …`.
pub(crate) fn run(command: UserCommand) -> Result<(), Failure> {
    let api = ApiClient::from_args(&command.nodes)?;
    block_on(act(&api, command.action))
}

/// `quorate token …`.
pub(crate) fn run_token(command: TokenCommand) -> Result<(), Failure> {
    let api = ApiClient::from_args(&command.nodes)?;
    block_on(token(&api, command))
}

async fn act(api: &ApiClient, action: UserAction) -> Result<(), Failure> {
    match action {
        UserAction::Add { name, display, roles, password_file, issuer, subject } => {
            let password = password_file.as_deref().map(secret).transpose()?;
            let identity = issuer
                .map(|issuer| json!({ "issuer": issuer, "subject": subject.unwrap_or_default() }));
            let body = json!({
                "name": name,
                "display": display.unwrap_or_else(|| name.clone()),
                "grants": grants(&roles)?,
                "password": password,
                "identity": identity,
            });
            let made: Value = api.call_json(Method::POST, "/api/v1/accounts", &body).await?;
            println!("{}", line(&made));
            Ok(())
        }
        UserAction::List => {
            for account in pages(api, "/api/v1/accounts").await? {
                println!("{}", line(&account));
            }
            Ok(())
        }
        UserAction::Roles { name, roles } => {
            let grants = grants(&roles)?;
            change(api, &name, |account| account["grants"] = grants).await
        }
        UserAction::Lock { name } => {
            change(api, &name, |account| account["enabled"] = false.into()).await
        }
        UserAction::Unlock { name } => {
            change(api, &name, |account| account["enabled"] = true.into()).await
        }
        UserAction::Logout { name } => {
            let path = format!("{}/sessions", account_path(&name));
            api.ask(Method::DELETE, &path, &Content::None).await?;
            Ok(())
        }
        UserAction::Password { name, password_file } => {
            let path = format!("{}/password", account_path(&name));
            let body = json!({ "new": secret(&password_file)? });
            Ok(api.send(Method::PUT, &path, &body).await?)
        }
        UserAction::Remove { name } => {
            api.ask(Method::DELETE, &account_path(&name), &Content::None).await?;
            Ok(())
        }
    }
}

async fn token(api: &ApiClient, command: TokenCommand) -> Result<(), Failure> {
    let Some(password) = &command.password_file else {
        return Err(Failure::new(
            exit::BAD_DATA,
            "name the account with --user and its password \
                                                 with --password-file",
        ));
    };
    let body = json!({ "name": command.user, "password": secret(password)? });
    let session: Value = api.call_json(Method::POST, "/api/v1/login", &body).await?;
    let access = session["access_token"].as_str().unwrap_or_default().to_owned();
    let api = api.with_token(access)?;
    let path = format!("{}/tokens", account_path(&command.user));
    let outcome = with_session(&api, &path, command.action).await;
    // The session was for this command only.
    api.ask(Method::DELETE, "/api/v1/session", &Content::None).await?;
    outcome
}

async fn with_session(api: &ApiClient, path: &str, action: TokenAction) -> Result<(), Failure> {
    match action {
        TokenAction::Make { name, roles, days, out } => {
            let body = json!({ "name": name, "grants": grants(&roles)?, "days": days });
            let made: Value = api.call_json(Method::POST, path, &body).await?;
            let text = made["token"].as_str().unwrap_or_default();
            files::write_private(&out, format!("{text}\n").as_bytes())?;
            println!("token {} is in {}", shown(&made["id"]), out.display());
            Ok(())
        }
        TokenAction::List => {
            for token in pages(api, path).await? {
                println!("{} {}", shown(&token["id"]), shown(&token["name"]));
            }
            Ok(())
        }
        TokenAction::End { id } => {
            api.ask(Method::DELETE, &format!("{path}/{id}"), &Content::None).await?;
            Ok(())
        }
    }
}

/// All items of a list, page by page.
async fn pages(api: &ApiClient, path: &str) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    for _ in 0..PAGES_MAX {
        let asked =
            if cursor.is_empty() { path.to_owned() } else { format!("{path}?cursor={cursor}") };
        let mut page: Value = api.get_json(&asked).await?;
        if let Value::Array(found) = page["items"].take() {
            items.extend(found);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    Ok(items)
}

/// Reads an account, changes it, writes it back.
async fn change(
    api: &ApiClient,
    name: &str,
    change: impl FnOnce(&mut Value),
) -> Result<(), Failure> {
    let path = account_path(name);
    let found: Value = api.get_json(&path).await?;
    let kept = ["display", "grants", "enabled", "identity"];
    let mut account: Value =
        kept.into_iter().map(|field| (field.to_owned(), found[field].clone())).collect();
    change(&mut account);
    let changed: Value = api.call_json(Method::PUT, &path, &account).await?;
    println!("{}", line(&changed));
    Ok(())
}

fn account_path(name: &str) -> String {
    format!("/api/v1/accounts/{name}")
}

/// `trustee` or `trustee@000102…`, as the API wants it.
fn grants(roles: &[String]) -> Result<Value, Failure> {
    let grant = |role: &String| match role.split_once('@') {
        None => Ok(json!({ "role": role })),
        Some((role, election)) if election.parse::<election::ElectionId>().is_ok() => {
            Ok(json!({ "role": role, "election": election }))
        }
        Some((_, election)) => Err(Failure::new(
            exit::BAD_DATA,
            format!("'{role}': '{election}' is no election id; ids have 32 hex digits"),
        )),
    };
    roles.iter().map(grant).collect()
}

/// One account in one line.
fn line(account: &Value) -> String {
    let grants = account["grants"].as_array().into_iter().flatten();
    let role = |grant: &Value| match grant["election"].as_str() {
        Some(election) => format!("{}@{election}", shown(&grant["role"])),
        None => shown(&grant["role"]),
    };
    let roles: Vec<String> = grants.map(role).collect();
    let locked = if account["enabled"] == false { " (locked)" } else { "" };
    format!("{}{locked}: {}", shown(&account["name"]), roles.join(", "))
}

fn shown(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn secret(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(Failure::because(exit::BAD_DATA, &path.display().to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_and_shown_alike() {
        let election = "000102030405060708090a0b0c0d0e0f";
        let roles = ["auditor".to_owned(), format!("trustee@{election}")];
        let grants = grants(&roles).expect("good");
        let account = json!({ "name": "ada", "grants": grants, "enabled": false });
        assert_eq!(line(&account), format!("ada (locked): auditor, trustee@{election}"));
        let error = super::grants(&["trustee@x".to_owned()]).expect_err("no id");
        assert!(error.message.contains("'x' is no election id"), "{}", error.message);
    }
}
