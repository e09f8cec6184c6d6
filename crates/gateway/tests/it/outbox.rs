//! Mail against a real mail server: each message once though two nodes send, each answer kept.

use crate::feed::open_election;
use crate::server::{Server, TOKEN};
use crate::tools::mail_server;
use gateway::Settings;
use gateway::mail::MailSettings;
use serde_json::{Value, json};

fn with_mail(server: &str) -> Settings {
    let mail = MailSettings {
        server: server.to_owned(),
        from: "Elections <elections@vote.example>".to_owned(),
    };
    Settings { mail: Some(mail), ..Settings::default() }
}

fn queue(server: &Server, election: &str, recipients: &[String]) -> crate::server::Answer {
    let body = json!({
        "kind": "reminder", "subject": "Bis Freitag: die Wahl läuft noch",
        "text": "You can vote until Friday.", "recipients": recipients,
    });
    let path = format!("/api/v1/elections/{election}/mail");
    server.call("POST", &path, TOKEN, &body.to_string())
}

fn statuses(server: &Server, election: &str) -> Vec<(String, String)> {
    let path = format!("/api/v1/elections/{election}/mail");
    let found = server.call("GET", &path, TOKEN, "").expect(200).json();
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    let items = found["items"].as_array().expect("a list");
    items.iter().map(|item| (text(item, "to"), text(item, "status"))).collect()
}

#[test]
fn two_nodes_send_each_message_once_and_keep_what_the_server_said() {
    let Some(mail) = mail_server() else { return };
    let settings = with_mail(&format!("smtp://127.0.0.1:{}", mail.first));
    let (servers, _, id) = open_election(1, settings);
    let id = id.to_string();
    let mut recipients: Vec<String> = (0..30).map(|n| format!("voter{n}@vote.example")).collect();
    recipients.extend(["nobody@vote.example".to_owned(), "later@vote.example".to_owned()]);
    queue(&servers[0], &id, &recipients).expect(202);
    let one = &servers[1];
    one.wait(|| {
        let all = statuses(one, &id);
        let sent = all.iter().filter(|(_, status)| status == "sent").count();
        let failed = all.iter().filter(|(_, status)| status == "failed").count();
        let tried = one.call("GET", &format!("/api/v1/elections/{id}/mail"), TOKEN, "").body;
        (sent, failed) == (30, 1) && tried.contains("451")
    });
    let waiting = statuses(one, &id).into_iter().filter(|(_, status)| status == "queued");
    assert_eq!(waiting.map(|(to, _)| to).collect::<Vec<_>>(), ["later@vote.example"]);
    let mut taken: Vec<String> = mail
        .lines()
        .iter()
        .map(|line| {
            let message: Value = serde_json::from_str(line).expect("JSON");
            let text = message["text"].as_str().expect("text");
            assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
            assert!(text.contains("You can vote until Friday."), "{text}");
            message["to"][0].as_str().expect("a recipient").to_owned()
        })
        .collect();
    taken.sort();
    recipients.truncate(30);
    recipients.sort();
    assert_eq!(taken, recipients, "each once");
    let path = format!("/api/v1/elections/{id}/mail?status=failed");
    let failed = one.call("GET", &path, TOKEN, "").expect(200).json()["items"][0].clone();
    assert!(failed["said"].as_str().is_some_and(|said| said.contains("550")), "{failed}");
    let again = |message: &Value| {
        let message = message["message"].as_str().expect("an id");
        let path = format!("/api/v1/elections/{id}/mail/{message}/again");
        one.call("POST", &path, TOKEN, "")
    };
    again(&failed).expect(200);
}

#[test]
fn without_a_server_mail_goes_into_a_folder_and_codes_never_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (servers, _, id) =
        open_election(1, with_mail(&format!("file://{}", folder.path().display())));
    let (server, id) = (&servers[0], id.to_string());
    queue(server, &id, &["ada@vote.example".to_owned()]).expect(202);
    let files = || {
        let entries = std::fs::read_dir(folder.path()).expect("the folder");
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| path.extension().is_some_and(|e| e == "eml")).collect::<Vec<_>>()
    };
    server.wait(|| files().len() == 1);
    let text = std::fs::read_to_string(&files()[0]).expect("a message");
    assert!(text.contains("To: ada@vote.example"), "{text}");
    let path = format!("/api/v1/elections/{id}/mail");
    let refuse = |field: &str, value: Value| {
        let mut body = json!({
            "kind": "notice", "subject": "s", "text": "t", "recipients": ["a@vote.example"],
        });
        body[field] = value;
        let answer = server.call("POST", &path, TOKEN, &body.to_string()).expect(422).json();
        answer["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned()
    };
    let code = ballot::Code::from_bytes([7; 15]).to_string();
    assert_eq!(refuse("text", json!(format!("Your code: {code}"))), "/text");
    assert_eq!(refuse("text", json!("https://v.test/booth.html#c=x")), "/text");
    assert_eq!(refuse("subject", json!("a\r\nBcc: everybody@vote.example")), "/subject");
    assert_eq!(refuse("recipients", json!(["a@vote.example", "nonsense"])), "/recipients/1");
    assert_eq!(refuse("kind", json!("invitation")), "/kind");
}
