//! The OpenAPI document: written by hand beside the routes, compared with them by a test.

/// The document as JSON (OpenAPI 3.1).
pub const DOCUMENT: &str = include_str!("../../../spec/openapi.json");

#[cfg(test)]
mod tests {
    use super::DOCUMENT;

    #[test]
    fn every_operation_says_what_it_does_and_what_may_come_back() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).expect("is JSON");
        for (path, methods) in document["paths"].as_object().expect("has paths") {
            for (method, operation) in methods.as_object().expect("has methods") {
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert!(operation["responses"].is_object(), "{method} {path} has no responses");
            }
        }
    }
}
