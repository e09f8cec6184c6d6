//! An election office beside a cluster: who gives the commands that people give.

use crate::support::{Nodes, run, said, wait_for};

/// A cluster, and one of its nodes that everybody asks.
pub(crate) struct Office {
    pub(crate) nodes: Nodes,
    pub(crate) web: String,
}

impl Office {
    /// Starts so many nodes. All commands go to the first: its one-time token is its own.
    pub(crate) fn start(count: usize) -> Self {
        let nodes = Nodes::start(count);
        let web = format!("http://{}", nodes.addresses[0].web);
        Self { nodes, web }
    }

    /// A file of the office.
    pub(crate) fn path(&self, name: &str) -> String {
        self.nodes.folder.path().join(name).display().to_string()
    }

    /// A command of somebody outside the nodes.
    pub(crate) fn do_alone(&self, arguments: &[&str]) -> (bool, String) {
        let output = run(arguments);
        (output.status.success(), said(&output))
    }

    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        let (done, text) = self.do_alone(arguments);
        assert!(done, "{arguments:?}: {text}");
        text
    }

    /// A command against the nodes, with the token that the first one made when it started.
    pub(crate) fn try_ask(&self, arguments: &[&str]) -> (bool, String) {
        let token = self.nodes.data_dir(0).join("admin-token").display().to_string();
        let mut whole = arguments.to_vec();
        whole.extend(["--nodes", &self.web, "--token-file", &token]);
        self.do_alone(&whole)
    }

    /// The same, which must succeed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let (done, text) = self.try_ask(arguments);
        assert!(done, "{arguments:?}: {text}");
        text
    }

    /// The ceremony of one trustee and the opening, at the same time.
    pub(crate) fn open(&self, id: &str, admin: &str) {
        std::fs::write(self.path("passphrase"), "a passphrase of many words\n").expect("written");
        let (secret, passphrase) = (self.path("secret"), self.path("passphrase"));
        let trustee = ["--trustee", "1", "--secret", &secret, "--passphrase-file", &passphrase];
        let ceremony = [&["election", "ceremony", id], &trustee[..]].concat();
        std::thread::scope(|scope| {
            let made = scope.spawn(|| self.ask(&ceremony));
            let open = ["election", "open", id, "--admin-key", admin];
            wait_for("the opening", || self.try_ask(&open).0.then_some(()));
            made.join().expect("the ceremony ends");
        });
    }
}
