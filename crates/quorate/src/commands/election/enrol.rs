//! `quorate election enrol`: the voter makes the voting code. No node is asked or told anything.

use super::failed;
use crate::commands::Failure;
use crate::{exit, files, random};
use ballot::enrolment::EnrolmentRequest;
use ballot::{Code, Credential};
use clap::Args;
use election::ElectionId;
use reqwest::Url;
use std::path::PathBuf;
use std::time::Duration;

/// How long the issuer may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Args, Debug)]
pub(super) struct EnrolArgs {
    /// The election
    id: ElectionId,
    /// The one-time token from the issuer
    #[arg(long, value_name = "TOKEN", env = "QUORATE_TOKEN_TO_ENROL", hide_env_values = true)]
    token: String,
    /// Where to keep the voting code; a code that is there already is enrolled again
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Send the enrolment to the issuer at this address, like https://issuer.example.org/enrol;
    /// without it, it is printed, to be sent by mail
    #[arg(long, value_name = "URL")]
    send: Option<Url>,
}

pub(super) async fn run(args: EnrolArgs) -> Result<(), Failure> {
    let wrong = |message: String| Failure::new(exit::BAD_DATA, message);
    let token: Code = args.token.parse().map_err(|error| wrong(format!("the token: {error}")))?;
    let is_new = !args.out.exists();
    let code = if !is_new {
        let text = String::from_utf8_lossy(&files::read(&args.out)?).into_owned();
        let path = args.out.display();
        text.parse().map_err(|error| wrong(format!("{path} holds no voting code: {error}")))?
    } else {
        let code = Code::random(&mut random::system());
        files::write_private(&args.out, format!("{code}\n").as_bytes())?;
        code
    };
    let credential = Credential::from_code(&code, &args.id.0);
    let request = EnrolmentRequest::make(&token, &args.id.0, &credential);
    let (path, key) = (args.out.display(), hex::encode(credential.public().to_bytes()));
    let told = format!(
        "your voting code is in {path}; keep it, nobody else has it. On the roll you will be\n{key}"
    );
    let Some(issuer) = args.send else {
        eprintln!("{told}");
        print!("{request}");
        return Ok(());
    };
    match send(issuer, &request).await {
        Ok(said) => {
            eprintln!("{told}");
            println!("{said}");
            Ok(())
        }
        // Whoever was refused has no use for the code; one whose fate is not known stays.
        Err(Unsent::Refused(why)) if is_new => {
            std::fs::remove_file(&args.out).map_err(failed)?;
            Err(failed(format!("{why}; no voting code was kept")))
        }
        Err(Unsent::Refused(why)) => Err(failed(why)),
        Err(Unsent::Unknown(why)) => {
            let message = format!("{why}. Run the same command again: the code in {path} stays");
            Err(Failure::new(exit::UNAVAILABLE, message))
        }
    }
}

/// Why an enrolment is not known to be taken.
enum Unsent {
    Refused(String),
    Unknown(String),
}

async fn send(issuer: Url, request: &EnrolmentRequest) -> Result<String, Unsent> {
    gateway::install_tls();
    let unreachable =
        |error: reqwest::Error| Unsent::Unknown(format!("the issuer was not reached: {error}"));
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(unreachable)?;
    let answer = client.post(issuer).body(request.to_string()).send().await.map_err(unreachable)?;
    let status = answer.status();
    let said = answer.text().await.map_err(unreachable)?;
    let said: String = said.chars().filter(|one| !one.is_control()).take(500).collect();
    let told = format!("the issuer says ({status}): {}", said.trim_end());
    match status {
        _ if status.is_success() => Ok(said),
        _ if status.is_server_error() => Err(Unsent::Unknown(told)),
        _ => Err(Unsent::Refused(told)),
    }
}
