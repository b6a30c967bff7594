//! The published description of the package's form.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::model::package::{Package, Resolution};

/// The name of the form, with its version.
pub const SCHEMA_ID: &str = "urn:handoffd:package:1.0";

/// The JSON Schema (draft 2020-12) of a package of any of the three kinds, and of the resolution
/// that wraps one. `config/package.schema.json` is this.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let package = generator.subschema_for::<Package>();
    let resolution = generator.subschema_for::<Resolution>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "What handoffd knows when a conversation changes hands",
        "description": "A package, or the resolution that an AI agent gets with a conversation that \
                        comes back to it. Times are milliseconds since 1970-01-01T00:00:00Z.",
        "anyOf": [package, resolution],
        "$defs": generator.take_definitions(true),
    })
}
