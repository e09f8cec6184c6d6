//! Transactions on a command line: conditions and operations as short texts.

use super::words;
use clap::Args;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyRange, PutRequest, RangeRequest,
    TxnOperation, TxnRequest,
};

/// Compare, then write, all or nothing.
///
/// Conditions: value(KEY) = TEXT, version(KEY) > N, create(KEY) = 0 (absent), mod(KEY) < N;
/// operators = != < >. Operations: put KEY VALUE, get KEY, delete KEY.
#[derive(Args, Debug)]
pub(super) struct TxnAction {
    /// A condition; all must hold for the `--then` operations to run
    #[arg(long = "if", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// An operation for when all conditions hold
    #[arg(long = "then", value_name = "OPERATION")]
    success: Vec<String>,
    /// An operation for when one does not
    #[arg(long = "else", value_name = "OPERATION")]
    failure: Vec<String>,
}

impl TxnAction {
    /// The request that the texts describe.
    ///
    /// # Errors
    /// A sentence that quotes the text that could not be read.
    pub(super) fn request(&self) -> Result<TxnRequest, String> {
        Ok(TxnRequest {
            compare: self.conditions.iter().map(|text| compare(text)).collect::<Result<_, _>>()?,
            success: self.success.iter().map(|text| operation(text)).collect::<Result<_, _>>()?,
            failure: self.failure.iter().map(|text| operation(text)).collect::<Result<_, _>>()?,
        })
    }
}

fn compare(text: &str) -> Result<Compare, String> {
    let unread =
        || format!("condition '{text}' is not of the form value(KEY) = TEXT or version(KEY) > N");
    let (head, rest) = text.split_once(')').ok_or_else(unread)?;
    let (what, key) = head.split_once('(').ok_or_else(unread)?;
    let rest = rest.trim_start();
    let (result, right) = [
        ("!=", CompareResult::NotEqual),
        ("=", CompareResult::Equal),
        ("<", CompareResult::Less),
        (">", CompareResult::Greater),
    ]
    .into_iter()
    .find_map(|(sign, result)| Some((result, rest.strip_prefix(sign)?.trim())))
    .ok_or_else(unread)?;
    let number =
        || right.parse().map_err(|_| format!("condition '{text}': '{right}' is no whole number"));
    let target = match what.trim() {
        "value" => CompareTarget::Value(words::split(right)?.join(" ").into()),
        "version" | "ver" => CompareTarget::Version(number()?),
        "create" => CompareTarget::Create(number()?),
        "mod" => CompareTarget::Mod(number()?),
        "lease" => CompareTarget::Lease(number()?),
        other => return Err(format!("condition '{text}': nothing is called '{other}'")),
    };
    let key = words::split(key)?.join(" ");
    Ok(Compare { range: KeyRange::single(key), result, target })
}

fn operation(text: &str) -> Result<TxnOperation, String> {
    let words = words::split(text)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["put", key, value] => Ok(TxnOperation::Put(PutRequest {
            key: key.to_owned().into(),
            value: value.to_owned().into(),
            ..PutRequest::default()
        })),
        ["get", key] => Ok(TxnOperation::Range(RangeRequest {
            range: KeyRange::single(key.to_owned()),
            ..RangeRequest::default()
        })),
        ["delete" | "del", key] => Ok(TxnOperation::DeleteRange(DeleteRangeRequest {
            range: KeyRange::single(key.to_owned()),
            prev_kv: false,
        })),
        _ => Err(format!("operation '{text}' is not put KEY VALUE, get KEY or delete KEY")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_mistakes_quoted() {
        let read = compare("value(a b) != \"x y\"").expect("well-formed");
        assert_eq!(read.range, KeyRange::single("a b"));
        assert_eq!(read.result, CompareResult::NotEqual);
        assert_eq!(read.target, CompareTarget::Value("x y".into()));
        assert_eq!(compare("mod(a) > 3").expect("well-formed").target, CompareTarget::Mod(3));
        let mistake = |text| compare(text).expect_err(text);
        assert!(mistake("a = b").contains("condition 'a = b' is not of the form"));
        assert!(mistake("mod(a) > x").contains("'x' is no whole number"));
        assert!(operation("put a").expect_err("short").contains("operation 'put a' is not"));
    }
}
