//! Files that people write and keep: definitions, lists of voters, public rolls, elections in the
//! Pabulib format, trustees' secrets.

use crate::Target;
use ballot::seal::Cost;
use election::ElectionId;
use election::testing::{ElectionBuilder, TestRng};
use formats::pabulib::PbElection;
use formats::{definition, roll, voters};
use trustee::SecretFile;

pub(crate) const TARGETS: &[Target] = &[
    Target::new("definition_toml", definition_toml, definitions).up_to(2048),
    Target::new("voter_list", voter_list, voter_lists).up_to(1024),
    Target::new("public_roll", public_roll, public_rolls).up_to(1024),
    Target::new("pabulib", pabulib, pabulibs).up_to(2048),
    Target::new("trustee_file", trustee_file, trustee_files).up_to(256),
];

fn definition_toml(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    match definition::parse_toml(text) {
        Ok(definition) => assert!(definition.check().is_ok(), "a wrong definition was taken"),
        Err(wrong) => {
            assert!(!wrong.is_empty(), "refused without a reason");
            let lines = text.split('\n').count().max(1);
            let is_placed = |one: &formats::Wrong| (1..=lines).contains(&one.line);
            assert!(wrong.iter().all(is_placed), "{wrong:?} of {lines} lines");
        }
    }
}

fn definitions() -> Vec<Vec<u8>> {
    let head = "title = \"Board\"\ndomain = \"vote.example\"\n";
    let trustees = "trustees = [\"Tara\", \"Theo\"]\nthreshold = 2\n";
    let contest =
        "[[contests]]\ntitle = \"Chair\"\nkind = \"one\"\noptions = [\"Ada\", \"Grace\"]\n";
    let times = "opens = \"2026-12-01T08:00:00Z\"\ncloses = \"2026-12-01T20:00:00+01:00\"\n";
    let score = "[[contests]]\ntitle = \"Colour\"\nkind = \"score\"\n\
                 options = [\"Red\", \"Blue\"]\nhighest = 3\nmax = 4\n";
    let lists = "[[contests]]\ntitle = \"Council\"\nkind = \"lists\"\nmax = 1\n\
                 [[contests.lists]]\nname = \"Left\"\ncandidates = [\"Ann\", \"Ben\"]\n";
    [
        [head, trustees, contest].concat(),
        [head, trustees, times, contest, "blank = true\n", score].concat(),
        [head, "open_poll = true\n", contest, lists].concat(),
        "title = 5".to_owned(),
    ]
    .map(String::into_bytes)
    .into()
}

fn voter_list(bytes: &[u8]) {
    let Ok(list) = voters::read(bytes) else { return };
    assert!(voters::preview(&list).lines().count() > 0, "nothing is shown");
    assert!(list.voters.iter().all(|voter| !voter.voter_id.is_empty() && voter.weight > 0));
    assert_eq!(list.rejected() == 0, list.mistakes.is_empty(), "{:?}", list.mistakes);
    // Whoever puts the rejected rows right reads them again.
    let _ = voters::read(&list.rejected_csv());
}

fn voter_lists() -> Vec<Vec<u8>> {
    let texts = [
        "voter_id,email,name,language,weight,group\na1,a@example.org,Ann,en,2,1\nb2,,Ben,,1,\n",
        "voter_id;weight\r\na1;3\r\n\"b;2\";1\r\n",
        "a@example.org\nb@example.org\n",
        "Stimmgewicht\tMitglied\n2\ta1\n",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).into();
    let wide = "\u{feff}voter_id;name\na1;Zoë\n".encode_utf16();
    seeds.push(wide.flat_map(u16::to_le_bytes).collect());
    seeds.push(b"voter_id;name\na1;Zo\xeb\n".to_vec());
    seeds
}

fn public_roll(bytes: &[u8]) {
    match roll::read_public_roll(bytes) {
        Ok(read) => {
            let written = roll::write_public_roll(&read);
            let again = roll::read_public_roll(written.as_bytes());
            assert_eq!(again.map(|again| again.voters().to_vec()), Ok(read.voters().to_vec()));
        }
        Err(wrong) => assert!(!wrong.is_empty(), "refused without a reason"),
    }
}

fn public_rolls() -> Vec<Vec<u8>> {
    let roll = ElectionBuilder::new(9).voters(3).build().roll;
    vec![roll::write_public_roll(&roll).into_bytes(), b"00,1,0\n".to_vec()]
}

fn pabulib(bytes: &[u8]) {
    let Ok(election) = PbElection::parse(bytes) else { return };
    assert_eq!(election.count().len(), election.projects.len());
    let chosen = election.votes.iter().flat_map(|vote| &vote.chosen);
    assert!(chosen.into_iter().all(|at| usize::from(*at) < election.projects.len()));
    let _ = election.contradiction();
}

fn pabulibs() -> Vec<Vec<u8>> {
    let text = |kind: &str, vote: &str| {
        format!(
            "META\nkey;value\ndescription;Parks\nvote_type;{kind}\nmin_length;1\nmax_length;2\n\
             PROJECTS\nproject_id;name;votes\np1;Well;2\np2;Shed;1\n\
             VOTES\nvoter_id;vote\n1;p1\n2;{vote}\n"
        )
        .into_bytes()
    };
    vec![text("approval", "p1,p2"), text("choose-1", "p2")]
}

/// What was sealed has one form; and a file is opened as far as its costs are small.
fn trustee_file(bytes: &[u8]) {
    if let Ok(file) = SecretFile::decode(bytes) {
        assert_eq!(file.encode()[..], *bytes);
    }
    let number = |at: usize| bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four));
    let (memory, passes) = (number(6).unwrap_or(0), number(10).unwrap_or(0));
    if memory <= 64 && passes <= 2 {
        let _ = SecretFile::open(bytes, "passphrase");
    }
}

fn trustee_files() -> Vec<Vec<u8>> {
    let mut rng = TestRng::new(2, "trustee");
    let mut file = SecretFile::generate(ElectionId([7; 16]), 2, 1, &mut rng);
    file.decrypted = Some([9; 32]);
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let sealed = file.seal("passphrase", cost, &mut rng).expect("the cost is allowed");
    vec![file.encode().to_vec(), sealed]
}
