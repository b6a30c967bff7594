//! The description of the API holds for the routes, and for what tests send and get.

use std::{collections::BTreeSet, sync::OnceLock};

use axum::{body::Body, http::Request};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Answer, World};
use crate::http::{openapi, routes};

/// The name of the package's form, under which a validator finds it.
const PACKAGE_ID: &str = "urn:handoffd:package:1.0";

fn description() -> &'static Value {
    static READ: OnceLock<Value> = OnceLock::new();
    READ.get_or_init(|| {
        // The file that lies beside it, by the name that the file gives itself.
        let text = openapi::DESCRIPTION.replace("\"package.schema.json\"", &format!("\"{PACKAGE_ID}\""));
        serde_json::from_str(&text).expect("JSON")
    })
}

/// The operation of a path as it was sent.
fn operation(method: &str, path: &str) -> &'static Value {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let (spelled, sent): (Vec<&str>, Vec<&str>) =
            (template.split('/').collect(), path.split('/').collect());
        spelled.len() == sent.len()
            && spelled.iter().zip(&sent).all(|(spelled, sent)| spelled.starts_with('{') || spelled == sent)
    };
    let paths = description()["paths"].as_object().expect("paths");
    let (_, found) = paths
        .iter()
        .filter(|(template, _)| fits(template))
        .min_by_key(|(name, _)| name.contains('{'))
        .expect("a path that is described");
    &found[method]
}

fn validator(schema: &Value) -> Validator {
    let whole = json!({ "allOf": [schema], "components": description()["components"] });
    let package: Value = serde_json::from_str(openapi::PACKAGE).expect("JSON");
    let package = jsonschema::Resource::from_contents(package).expect("a schema");
    let options = jsonschema::draft202012::options().with_resource(PACKAGE_ID, package);
    options.build(&whole).expect("a schema")
}

/// Holds a request that was taken, and any answer, against the description.
pub(super) fn judge(method: &str, path: &str, body: &str, answer: &Answer) {
    let operation = operation(method, path);
    if answer.status < 300 && method == "post" {
        let sent: Value = serde_json::from_str(body).expect("what was taken is JSON");
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let wrong: Vec<String> =
            validator(schema).iter_errors(&sent).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{method} {path} is taken but not described: {wrong:?}");
    }
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {path} answers {}, which is not described", answer.status);
    if let Some(schema) = response.pointer("/content/application~1json/schema") {
        let judge = validator(schema);
        let wrong: Vec<String> = judge.iter_errors(&answer.json).map(|error| error.to_string()).collect();
        assert!(
            wrong.is_empty(),
            "{method} {path} answers otherwise than described: {wrong:?}\n{}",
            answer.text
        );
    }
}

#[test]
fn every_route_is_described_and_every_path_is_routed() {
    let routed: BTreeSet<(String, String)> = routes::all()
        .into_iter()
        .flat_map(|(path, methods, _)| {
            methods.iter().map(move |method| (path.to_owned(), (*method).to_owned()))
        })
        .collect();
    let paths = description()["paths"].as_object().expect("paths");
    let said: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().expect("methods").keys().map(|method| (path.clone(), method.clone()))
        })
        .collect();
    assert_eq!(routed, said);
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_one() {
    let text = openapi::DESCRIPTION;
    let schemas = description()["components"]["schemas"].as_object().expect("schemas");
    let refers = |name: &str| text.contains(&format!("\"#/components/schemas/{name}\""));
    for (name, schema) in schemas {
        validator(schema);
        assert!(refers(name), "{name} is referred to by nothing");
    }
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap_or_default();
        assert!(schemas.contains_key(name), "{name} is not there");
    }
}

#[tokio::test]
async fn the_description_and_the_form_of_a_package_are_served() {
    let world = World::new().await;
    for path in ["/v1/openapi.json", "/v1/package.schema.json", "/healthz"] {
        let answer = world.send(Request::get(path).body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, 200, "{path}");
        judge("get", path, "", &answer);
    }
    let answer = world.send(Request::get("/v1/openapi.json").body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.text, openapi::DESCRIPTION);
}
