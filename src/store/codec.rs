//! How values are stored: an envelope around every one, and JSON inside for records.
//!
//! Envelope: version, codec, commit number (8 bytes), CRC-32C (4 bytes), payload.
//! The checksum covers the stored key as well, so that a value that turns up
//! under another key is seen.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Key, Seq, Table, keys};

/// The longest value, in bytes before packing. Longer text goes to the blobs.
pub const VALUE_BYTES_MAX: usize = 32 * 1024;

/// Values longer than this are packed, if that makes them shorter.
const PACK_ABOVE_BYTES: usize = 1024;

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const ZSTD_LEVEL: i32 = 3;
const HEADER_BYTES: usize = 14;

/// Stored bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}; stop handoffd, run `handoffd store verify`, restore the last good export")]
pub struct Corrupt {
    /// The table and key.
    pub place: String,
    /// What is wrong with it.
    pub what: &'static str,
}

/// A value out of its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) value: Vec<u8>,
    pub(super) rev: Seq,
}

/// Puts a value that commit `seq` writes under `key` into its envelope.
pub(super) fn encode(key: &[u8], seq: Seq, value: &[u8]) -> Vec<u8> {
    let packed = pack(value);
    let (codec, payload) = packed.as_deref().map_or((PLAIN, value), |packed| (ZSTD, packed));
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&[VERSION, codec]);
    bytes.extend_from_slice(&seq.0.to_be_bytes());
    let sum = checksum(key, &bytes, payload);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Takes the value under `key` out of its envelope.
pub(super) fn decode(key: &[u8], bytes: &[u8]) -> Result<Opened, Corrupt> {
    let corrupt = |what| Corrupt { place: keys::shown(key), what };
    let Some((header, payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(corrupt("the value is cut off"));
    };
    if header[0] != VERSION {
        return Err(corrupt("the envelope's version is unknown"));
    }
    if checksum(key, &header[..10], payload) != sum_of(header) {
        return Err(corrupt("the checksum does not match"));
    }
    let value = match header[1] {
        PLAIN => payload.to_vec(),
        ZSTD => {
            zstd::bulk::decompress(payload, VALUE_BYTES_MAX).map_err(|_| corrupt("it cannot be unpacked"))?
        }
        _ => return Err(corrupt("the codec is unknown")),
    };
    let [_, _, seq @ .., _, _, _, _] = *header;
    Ok(Opened { value, rev: Seq(u64::from_be_bytes(seq)) })
}

/// The checksum that an envelope carries, unchecked; zero when it is cut off.
pub(super) fn stored_sum(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<HEADER_BYTES>().map_or(0, sum_of)
}

fn sum_of(header: &[u8; HEADER_BYTES]) -> u32 {
    let [.., a, b, c, d] = *header;
    u32::from_be_bytes([a, b, c, d])
}

fn checksum(key: &[u8], header: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(key), header), payload)
}

fn pack(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() <= PACK_ABOVE_BYTES {
        return None;
    }
    zstd::bulk::compress(value, ZSTD_LEVEL).ok().filter(|packed| packed.len() < value.len())
}

/// A record that cannot be written or read. Never holds a record's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The record has no form in JSON: a defect of ours.
    #[error("a record of table {table} cannot be written as JSON")]
    Unwritable {
        /// The table.
        table: &'static str,
    },
    /// A newer handoffd wrote it: go back to that version, or restore an export.
    #[error(
        "table {table} key {key:?} has schema {found}, this handoffd knows {known}: a newer one wrote it"
    )]
    Newer {
        /// The table.
        table: &'static str,
        /// The key.
        key: Key,
        /// The row's schema.
        found: u16,
        /// The newest schema that is known.
        known: u16,
    },
    /// It is not the record that the table holds.
    #[error("table {table} key {key:?} cannot be read at {path}: {why}")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The key.
        key: Key,
        /// Where in the record, as `sides.2.shadow`.
        path: String,
        /// The kind of the fault and its line and column; no values.
        why: String,
    },
}

#[derive(Serialize)]
struct RowOut<'a, T> {
    schema: u16,
    row: &'a T,
}

#[derive(Deserialize)]
struct RowIn<'a> {
    schema: u16,
    #[serde(borrow)]
    row: &'a RawValue,
}

/// A record as the value of a row: JSON with the number of its schema.
pub fn to_row<T: Serialize>(table: Table, schema: u16, record: &T) -> Result<Vec<u8>, RowError> {
    serde_json::to_vec(&RowOut { schema, row: record }).map_err(|_| RowError::Unwritable { table: table.0 })
}

/// The record of a row. `schema` is the newest that `T` reads; older ones are
/// read by `T`'s own defaults.
pub fn from_row<T: DeserializeOwned>(
    table: Table,
    key: &Key,
    schema: u16,
    value: &[u8],
) -> Result<T, RowError> {
    let unreadable = |path: &str, fault: &serde_json::Error| RowError::Unreadable {
        table: table.0,
        key: key.clone(),
        path: path.to_owned(),
        why: format!("{:?} error at line {} column {}", fault.classify(), fault.line(), fault.column()),
    };
    let outer: RowIn<'_> = serde_json::from_slice(value).map_err(|fault| unreadable("(envelope)", &fault))?;
    if outer.schema > schema {
        return Err(RowError::Newer { table: table.0, key: key.clone(), found: outer.schema, known: schema });
    }
    let mut reader = serde_json::Deserializer::from_str(outer.row.get());
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|fault| unreadable(&fault.path().to_string(), fault.inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"rlinks\0a";

    #[test]
    fn values_come_back_packed_or_not() {
        let noise: Vec<u8> = (0..4_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for value in [vec![], vec![7; 10], vec![7; VALUE_BYTES_MAX], noise] {
            let stored = encode(KEY, Seq(9), &value);
            assert!(stored.len() <= value.len() + HEADER_BYTES);
            assert_eq!(decode(KEY, &stored), Ok(Opened { value, rev: Seq(9) }));
        }
        assert!(encode(KEY, Seq(1), &[7; 5_000]).len() < 200, "long values are packed");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        for value in [b"status: open".to_vec(), vec![b'x'; 3_000]] {
            let stored = encode(KEY, Seq(77), &value);
            for bit in 0..stored.len() * 8 {
                let mut damaged = stored.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(KEY, &damaged).is_err(), "bit {bit}");
            }
            for cut in 0..stored.len() {
                assert!(decode(KEY, &stored[..cut]).is_err(), "cut {cut}");
            }
        }
    }

    #[test]
    fn a_value_under_another_key_is_seen_and_named() {
        let stored = encode(KEY, Seq(1), b"v");
        let error = decode(b"rlinks\0b", &stored).unwrap_err();
        assert!(
            error.to_string().starts_with(r#"table "links" key "b": the checksum does not match"#),
            "{error}"
        );
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        name: String,
        counts: Vec<u32>,
    }

    #[test]
    fn records_name_the_place_and_never_the_text() {
        let (table, key) = (Table("links"), Key::of(&["a", "b"]));
        let record = Record { name: "n".to_owned(), counts: vec![1, 2] };
        let row = to_row(table, 3, &record).unwrap();
        assert_eq!(from_row::<Record>(table, &key, 3, &row), Ok(record));
        let newer = from_row::<Record>(table, &key, 2, &row).unwrap_err();
        assert_eq!(newer, RowError::Newer { table: "links", key: key.clone(), found: 3, known: 2 });

        let bad = br#"{"schema":1,"row":{"name":"n","counts":[1,"private words"]}}"#;
        let error = from_row::<Record>(table, &key, 3, bad).unwrap_err().to_string();
        assert!(error.contains(r#"table links key "a/b" cannot be read at counts[1]"#), "{error}");
        assert!(!error.contains("private"), "{error}");
        assert!(from_row::<Record>(table, &key, 3, b"not json").is_err());
    }
}
