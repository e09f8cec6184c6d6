//! How one letter leaves: by an SMTP server, or into a folder.

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for the mail server.
const SERVER_TIMEOUT: Duration = Duration::from_secs(20);

/// How mail leaves.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtp://USER:PASSWORD@HOST:PORT?tls=required`, `smtps://…`, or `file:///FOLDER`, which
    /// writes each message into a file instead.
    pub server: String,
    /// Sender, like `Elections <elections@example.org>`.
    pub from: String,
}

/// The server's URL may hold a password.
impl std::fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MailSettings(from {})", self.from)
    }
}

/// One message to one recipient.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Unique and stable: the same letter sent again has the same Message-ID.
    pub id: &'a str,
    /// Address of the recipient.
    pub to: &'a str,
    /// Subject line.
    pub subject: &'a str,
    /// Body, plain text.
    pub text: &'a str,
}

/// How a try went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken it.
    Taken,
    /// The server said no.
    Refused(String),
    /// It was certainly not taken, and may be later.
    NotNow(String),
    /// It may have been taken.
    Unknown(String),
}

/// A checked way out.
#[derive(Clone)]
pub struct Way {
    from: Mailbox,
    transport: Transport,
}

#[derive(Clone)]
enum Transport {
    Smtp(AsyncSmtpTransportBuilder),
    Folder(PathBuf),
}

/// A way out at work: its connections live in the runtime in which it was made.
pub struct Sender {
    from: Mailbox,
    door: Door,
}

enum Door {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no machine answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Way {
    /// The way that the settings name.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: &MailSettings) -> Result<Self, String> {
        let from = settings.from.parse().map_err(|error| format!("mail-from: {error}"))?;
        let transport = match settings.server.strip_prefix("file://") {
            Some(folder) => Transport::Folder(PathBuf::from(folder)),
            None => {
                crate::install_tls();
                let smtp = AsyncSmtpTransport::<Tokio1Executor>::from_url(&settings.server)
                    .map_err(|error| format!("mail-server: {error}"))?;
                Transport::Smtp(smtp.timeout(Some(SERVER_TIMEOUT)))
            }
        };
        Ok(Self { from, transport })
    }

    /// Opens it. Inside a tokio runtime.
    pub fn sender(&self) -> Sender {
        let door = match &self.transport {
            Transport::Smtp(smtp) => Door::Smtp(smtp.clone().build()),
            Transport::Folder(folder) => Door::Folder(folder.clone()),
        };
        Sender { from: self.from.clone(), door }
    }
}

impl Sender {
    /// Tries once to send a letter.
    pub async fn send(&self, letter: &Letter<'_>) -> Outcome {
        let message = match self.compose(letter) {
            Ok(message) => message,
            Err(reason) => return Outcome::Refused(reason),
        };
        let smtp = match &self.door {
            Door::Folder(folder) => {
                return write_file(folder, letter.id, message.formatted()).await;
            }
            Door::Smtp(smtp) => smtp,
        };
        // What fails before a message was begun was certainly not taken.
        match smtp.test_connection().await {
            Ok(true) => {}
            Ok(false) => return Outcome::NotNow("the server does not answer".to_owned()),
            Err(error) => return Outcome::NotNow(error.to_string()),
        }
        match smtp.send(message).await {
            Ok(_) => Outcome::Taken,
            Err(error) if error.is_permanent() => Outcome::Refused(error.to_string()),
            Err(error) if error.is_transient() => Outcome::NotNow(error.to_string()),
            Err(error) => Outcome::Unknown(error.to_string()),
        }
    }

    fn compose(&self, letter: &Letter<'_>) -> Result<Message, String> {
        let to: Mailbox = letter.to.parse().map_err(|error| format!("the address: {error}"))?;
        let domain = self.from.email.domain();
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject)
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.to_owned())
            .map_err(|error| error.to_string())
    }
}

/// For demonstrations and tests: a file for each message, whole or not there, for its owner only.
async fn write_file(folder: &Path, id: &str, bytes: Vec<u8>) -> Outcome {
    let folder = folder.to_owned();
    let name = format!("{id}.eml");
    let written = tokio::task::spawn_blocking(move || write_whole(&folder, &name, &bytes));
    match written.await {
        Ok(Ok(())) => Outcome::Taken,
        Ok(Err(error)) => Outcome::NotNow(error.to_string()),
        Err(error) => Outcome::Unknown(error.to_string()),
    }
}

fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::create_dir_all(folder)?;
    let partial = folder.join(format!(".{name}"));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    std::fs::rename(partial, folder.join(name))
}
