//! Accounts for whoever watches: one for each role, with passwords that are good for this
//! demonstration only and stand nowhere but on the terminal.

use super::Failure;
use super::cluster::Cluster;
use crate::http::ApiClient;
use crate::random;
use reqwest::Method;
use serde_json::json;
use std::path::Path;

/// Role, name of the account, name of the person.
const PEOPLE: [(&str, &str, &str); 4] = [
    ("administrator", "admin", "Administrator of the demonstration"),
    ("election-officer", "officer", "Election officer of the demonstration"),
    ("auditor", "auditor", "Auditor of the demonstration"),
    ("trustee", "trustee", "Trustee of the demonstration"),
];

/// One way in.
#[derive(Clone, Debug)]
pub(super) struct Login {
    role: &'static str,
    name: &'static str,
    password: String,
}

/// Makes the accounts.
pub(super) async fn make(cluster: &Cluster, token_file: &Path) -> Result<Vec<Login>, Failure> {
    let token = std::fs::read_to_string(token_file)
        .map_err(Failure::because(crate::exit::FAILED, "cannot read the token"))?;
    let api = ApiClient::new(&cluster.web_urls(), Some(token.trim().to_owned()))?;
    let mut logins = Vec::new();
    for (role, name, display) in PEOPLE {
        let password = password();
        let body = json!({
            "name": name,
            "display": display,
            "grants": [{ "role": role }],
            "password": password,
        });
        api.send(Method::POST, "/api/v1/accounts", &body).await?;
        logins.push(Login { role, name, password });
    }
    Ok(logins)
}

/// Sixty-four random bits in four groups.
fn password() -> String {
    let text = hex::encode(random::bytes::<8>());
    let groups: Vec<&str> = (0..4).filter_map(|group| text.get(group * 4..group * 4 + 4)).collect();
    groups.join("-")
}

/// What stands on the terminal.
pub(super) fn shown(dashboard: &str, logins: &[Login]) -> String {
    let mut text = format!("\n  dashboard  {dashboard}/cluster\n\n");
    text += "  role              name     password (for this demonstration only)\n";
    for Login { role, name, password } in logins {
        text += &format!("  {role:<16}  {name:<7}  {password}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_enough_and_differ() {
        let (one, other) = (password(), password());
        assert_eq!(one.len(), 19);
        assert_ne!(one, other);
    }
}
