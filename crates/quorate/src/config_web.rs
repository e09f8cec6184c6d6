//! Settings of the web listener: how browsers reach it, whom to believe, where people log in, how
//! mail leaves.

use crate::config::ConfigError;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;

/// Flags of `quorate serve` about the web listener.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Web listener")]
pub(crate) struct WebArgs {
    /// How browsers reach this node; cookies are for TLS only when it begins with https
    #[arg(long, env = "QUORATE_WEB_ORIGIN", value_name = "URL")]
    pub(crate) web_origin: Option<String>,
    /// Proxies whose X-Forwarded-For is believed
    #[arg(long, env = "QUORATE_TRUSTED_PROXIES", value_name = "IP,…")]
    pub(crate) trusted_proxies: Option<String>,
    /// Issuer URL of an OpenID Connect provider where people with accounts may log in
    #[arg(long, env = "QUORATE_OIDC_ISSUER", value_name = "URL")]
    pub(crate) oidc_issuer: Option<String>,
    /// What the provider calls this cluster
    #[arg(long, env = "QUORATE_OIDC_CLIENT_ID", value_name = "ID")]
    pub(crate) oidc_client_id: Option<String>,
    /// File that holds the secret that the provider gave
    #[arg(long, env = "QUORATE_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub(crate) oidc_client_secret_file: Option<PathBuf>,
    /// What the provider's button says [default: Single sign-on]
    #[arg(long, env = "QUORATE_OIDC_NAME", value_name = "TEXT")]
    pub(crate) oidc_name: Option<String>,
    /// How mail leaves: smtp://HOST:PORT?tls=required, smtps://…, or file:///FOLDER; user and
    /// password, if any, stand in the URL, so prefer the environment or the file for it
    #[arg(long, env = "QUORATE_MAIL_SERVER", hide_env_values = true, value_name = "URL")]
    pub(crate) mail_server: Option<String>,
    /// Sender of mail, like 'Elections <elections@example.org>'
    #[arg(long, env = "QUORATE_MAIL_FROM", value_name = "ADDRESS")]
    pub(crate) mail_from: Option<String>,
}

/// Their names in the file.
pub(crate) const FILE_KEYS: [&str; 8] = [
    "web-origin",
    "trusted-proxies",
    "oidc-issuer",
    "oidc-client-id",
    "oidc-client-secret-file",
    "oidc-name",
    "mail-server",
    "mail-from",
];

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) name: String,
}

/// What was settled.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct WebSettings {
    pub(crate) origin: Option<String>,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) oidc: Option<Oidc>,
    /// Server and sender.
    pub(crate) mail: Option<(String, String)>,
}

/// The mail server's URL may hold a password.
impl std::fmt::Debug for WebSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSettings")
            .field("origin", &self.origin)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("oidc", &self.oidc)
            .field("mail", &self.mail.as_ref().map(|(_, from)| format!("… from {from}")))
            .finish()
    }
}

impl WebArgs {
    /// Fills what flags and environment left open from the file.
    ///
    /// # Errors
    /// Of `text`, which gives the file's value of a key.
    pub(crate) fn over(
        &mut self,
        text: impl Fn(&str) -> Result<Option<String>, ConfigError>,
    ) -> Result<(), ConfigError> {
        let fill = |place: &mut Option<String>, key: &str| -> Result<(), ConfigError> {
            let found = text(key)?;
            *place = place.take().or(found);
            Ok(())
        };
        fill(&mut self.web_origin, "web-origin")?;
        fill(&mut self.trusted_proxies, "trusted-proxies")?;
        fill(&mut self.oidc_issuer, "oidc-issuer")?;
        fill(&mut self.oidc_client_id, "oidc-client-id")?;
        fill(&mut self.oidc_name, "oidc-name")?;
        fill(&mut self.mail_server, "mail-server")?;
        fill(&mut self.mail_from, "mail-from")?;
        let secret = text("oidc-client-secret-file")?.map(PathBuf::from);
        self.oidc_client_secret_file = self.oidc_client_secret_file.take().or(secret);
        Ok(())
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting.
    pub(crate) fn settle(self) -> Result<WebSettings, ConfigError> {
        let wrong = |text: String| Err(ConfigError(text));
        if let Some(origin) = &self.web_origin
            && !["http://", "https://"].iter().any(|scheme| origin.starts_with(scheme))
        {
            return wrong(format!("web-origin is '{origin}'; expected https://HOST"));
        }
        let proxies = self.trusted_proxies.as_deref().unwrap_or_default();
        let proxies = proxies.split(',').map(str::trim).filter(|text| !text.is_empty());
        let trusted_proxies = proxies
            .map(|text| {
                let parsed = text.parse();
                parsed.map_err(|_| ConfigError(format!("trusted-proxies: '{text}' is no address")))
            })
            .collect::<Result<_, _>>()?;
        let oidc = match (self.oidc_issuer, self.oidc_client_id) {
            (None, None) => None,
            (Some(issuer), Some(client_id)) => Some(Oidc {
                issuer,
                client_id,
                secret_file: self.oidc_client_secret_file,
                name: self.oidc_name.unwrap_or_else(|| "Single sign-on".to_owned()),
            }),
            _ => return wrong("oidc-issuer and oidc-client-id belong together".to_owned()),
        };
        if oidc.is_some() && self.web_origin.is_none() {
            return wrong("oidc-issuer needs web-origin: the provider sends browsers there".into());
        }
        let mail = match (self.mail_server, self.mail_from) {
            (None, None) => None,
            (Some(server), Some(from)) => Some((server, from)),
            _ => return wrong("mail-server and mail-from belong together".to_owned()),
        };
        Ok(WebSettings { origin: self.web_origin, trusted_proxies, oidc, mail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(change: impl FnOnce(&mut WebArgs)) -> Result<WebSettings, String> {
        let mut args = WebArgs::default();
        change(&mut args);
        args.settle().map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_needed_and_halves_are_refused() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(settle(|_| ()), Ok(WebSettings::default()));
        assert!(settle(|args| args.mail_from = text("a@b.c")).is_err());
        assert!(settle(|args| args.oidc_issuer = text("https://id")).is_err());
        assert!(settle(|args| args.web_origin = text("n1.test")).is_err());
        let error = settle(|args| args.trusted_proxies = text("10.0.0.1, x")).expect_err("no IP");
        assert_eq!(error, "trusted-proxies: 'x' is no address");
    }

    #[test]
    fn a_password_in_the_mail_servers_url_is_not_shown() {
        let settings = settle(|args| {
            args.mail_server = Some("smtp://u:geheim@mail.test".to_owned());
            args.mail_from = Some("a@b.c".to_owned());
        });
        let shown = format!("{:?}", settings.expect("complete"));
        assert!(!shown.contains("geheim") && shown.contains("a@b.c"), "{shown}");
    }
}
