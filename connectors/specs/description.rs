//! An OpenAPI file, as far as it holds example bodies, and other files of samples.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};
use tempfile::NamedTempFile;

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// A body that the vendor shows.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where it stands: `GET /path 200 name`, a file's name, a fixture's key.
    pub name: String,
    /// The HTTP status that it goes with.
    pub status: u16,
    /// The body.
    pub body: Json,
}

impl Sample {
    /// Whether it is an object with this key.
    pub fn has(&self, key: &str) -> bool {
        self.body.get(key).is_some()
    }

    /// The body, if it comes with a 2xx and has this key.
    pub fn with(&self, key: &str) -> Option<Json> {
        (self.is_good() && self.has(key)).then(|| self.body.clone())
    }

    /// Whether it comes with a 2xx.
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The JSON or YAML in a file.
pub fn read(path: &Path) -> Json {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let read = match is_json {
        true => serde_json::from_str(&text).map_err(|why| why.to_string()),
        false => serde_saphyr::from_str(&text).map_err(|why| why.to_string()),
    };
    read.unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Every example of an answer in an OpenAPI file.
pub fn examples(root: &Json) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (path, operations) in entries(root.get("paths")) {
        for (method, operation) in entries(Some(operations)) {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            for (status, answer) in entries(operation.get("responses")) {
                let place = format!("{} {path} {status}", method.to_uppercase());
                let answer = resolved(root, answer);
                for (_, content) in entries(answer.get("content")) {
                    bodies(root, content, &place, &mut samples);
                }
            }
        }
    }
    samples
}

fn bodies(root: &Json, content: &Json, place: &str, samples: &mut Vec<Sample>) {
    let status = place.rsplit(' ').next().and_then(|status| status.parse().ok()).unwrap_or(200);
    let mut add = |name: &str, body: &Json| {
        samples.push(Sample { name: format!("{place} {name}"), status, body: body.clone() });
    };
    if let Some(body) = content.get("example") {
        add("example", body);
    }
    for (name, example) in entries(content.get("examples")) {
        let example = resolved(root, example);
        if let Some(body) = example.get("value") {
            add(name, body);
        }
    }
}

/// What stands at the end of a `$ref`.
pub fn resolved<'a>(root: &'a Json, mut at: &'a Json) -> &'a Json {
    while let Some(to) = at.get("$ref").and_then(Json::as_str) {
        let pointer = to.strip_prefix('#').unwrap_or_else(|| panic!("{to} leads out of the file"));
        at = root.pointer(pointer).unwrap_or_else(|| panic!("{to} leads nowhere"));
    }
    at
}

/// An OpenAPI file without the schemas of its answers, for those who judge requests alone.
pub fn without_answers(path: &Path) -> NamedTempFile {
    let mut root = read(path);
    let operations = root.get_mut("paths").and_then(Json::as_object_mut).into_iter().flatten();
    for operation in operations.flat_map(|(_, path)| path.as_object_mut().into_iter().flatten()) {
        let answers = operation.1.get_mut("responses").and_then(Json::as_object_mut);
        for (_, answer) in answers.into_iter().flatten() {
            *answer = json!({"description": "cut", "content": {"application/json": {"example": {}}}});
        }
    }
    // What nothing names any more would be followed too.
    if !root["paths"].to_string().contains("#/components/schemas") {
        root["components"]["schemas"] = json!({});
    }
    let file = tempfile::Builder::new().suffix(".json").tempfile().expect("a temporary file");
    fs::write(file.path(), root.to_string()).expect("a temporary file is written");
    file
}

/// The entries of an object; of anything else none.
pub fn entries(object: Option<&Json>) -> impl Iterator<Item = (&String, &Json)> {
    object.and_then(Json::as_object).into_iter().flatten()
}

/// The files of a folder as samples, by their names without `.json`.
pub fn files(folder: &Path) -> Vec<Sample> {
    let listed = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut paths: Vec<_> = listed.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| Sample { name: name(path), status: 200, body: read(path) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_found_where_openapi_has_them() {
        let root = json!({
            "paths": {"/a": {"get": {"responses": {
                "200": {"content": {"application/json": {"examples": {
                    "one": {"value": {"a": 1}}, "two": {"$ref": "#/components/examples/two"}}}}},
                "404": {"$ref": "#/components/responses/none"}}}, "parameters": []}},
            "components": {
                "examples": {"two": {"value": [2]}},
                "responses": {"none": {"content": {"application/json": {"example": {"error": "x"}}}}}}});
        let found = examples(&root);
        let told: Vec<_> =
            found.iter().map(|found| (found.name.as_str(), found.status, &found.body)).collect();
        assert_eq!(
            told,
            [
                ("GET /a 200 one", 200, &json!({"a": 1})),
                ("GET /a 200 two", 200, &json!([2])),
                ("GET /a 404 example", 404, &json!({"error": "x"})),
            ]
        );
        assert!(
            found[0].with("a").is_some() && found[0].with("b").is_none() && found[2].with("error").is_none()
        );
    }
}
