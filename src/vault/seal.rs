//! Sealing: XChaCha20-Poly1305 under one key, bound to the row it stands in.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use base64::Engine as _;
use chacha20poly1305::{
    Key as CipherKey, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use handoffd_connectors::contract::Secret;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::store::{Key, Table};

/// The version of the envelope: this byte, the key's print, the nonce, the sealed text.
const VERSION: u8 = 1;
const PRINT_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + PRINT_BYTES + NONCE_BYTES;

/// The key that seals: 32 random bytes. Wiped when dropped.
#[derive(Clone)]
pub struct VaultKey(Zeroizing<[u8; 32]>);

/// A text that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the vault key must be 32 bytes, written as 64 hex digits or as base64 (make one: openssl rand -hex 32)"
)]
pub struct BadKey;

impl VaultKey {
    /// Reads 64 hex digits, or base64 of either alphabet with or without padding.
    pub fn parse(text: &Secret) -> Result<Self, BadKey> {
        use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
        let text = text.expose().trim();
        let unpadded = text.trim_end_matches('=');
        let bytes = hex::decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(unpadded))
            .or_else(|_| URL_SAFE_NO_PAD.decode(unpadded));
        let bytes = Zeroizing::new(bytes.map_err(|_| BadKey)?);
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| BadKey)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Tells keys apart without giving them away.
    fn print(&self) -> [u8; PRINT_BYTES] {
        let digest = Sha256::new().chain_update(b"handoffd vault key\0").chain_update(*self.0).finalize();
        let mut print = [0; PRINT_BYTES];
        print.copy_from_slice(&digest[..PRINT_BYTES]);
        print
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// Why a sealed row cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed under another key than the configured one.
    #[error("it is sealed under another vault key than the configured one")]
    OtherKey,
    /// It is cut, changed, or copied here from another row.
    #[error("the sealed bytes are damaged or belong to another row")]
    Damaged,
    /// A later release wrote it.
    #[error("its envelope has version {0}, which this release does not know")]
    UnknownVersion(u8),
}

/// Seals and opens.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    print: [u8; PRINT_BYTES],
    nonces: Mutex<ChaCha20Rng>,
}

impl Vault {
    /// A vault with nonces from the operating system's randomness.
    pub fn new(key: &VaultKey) -> Self {
        Self::with_nonces(key, ChaCha20Rng::from_os_rng())
    }

    /// A vault with nonces from this generator. A seed must never be used twice
    /// with one key outside a simulation.
    pub fn with_nonces(key: &VaultKey, nonces: ChaCha20Rng) -> Self {
        let cipher = XChaCha20Poly1305::new(&CipherKey::from(*key.0));
        Self { cipher, print: key.print(), nonces: Mutex::new(nonces) }
    }

    /// Seals `plain` for the row `key` of `table`; nowhere else can it be opened.
    pub fn seal(&self, table: Table, key: &Key, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut nonce);
        let aad = self.aad(table, key);
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .expect("no text of ours is longer than 256 GiB");
        [&[VERSION], self.print.as_slice(), &nonce, &sealed].concat()
    }

    /// Opens what [`Vault::seal`] made for this row.
    pub fn open(&self, table: Table, key: &Key, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        match sealed.first() {
            Some(&VERSION) => {}
            Some(other) => return Err(OpenError::UnknownVersion(*other)),
            None => return Err(OpenError::Damaged),
        }
        let (head, text) = sealed.split_at_checked(HEAD_BYTES).ok_or(OpenError::Damaged)?;
        let (print, nonce) = head[1..].split_at(PRINT_BYTES);
        if print != self.print {
            return Err(OpenError::OtherKey);
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Damaged)?;
        let aad = self.aad(table, key);
        let plain = self.cipher.decrypt(&XNonce::from(nonce), Payload { msg: text, aad: &aad });
        plain.map(Zeroizing::new).map_err(|_| OpenError::Damaged)
    }

    /// What the seal covers beside the text. Lengths keep the parts apart.
    fn aad(&self, table: Table, key: &Key) -> Vec<u8> {
        let mut aad = vec![VERSION];
        aad.extend(self.print);
        aad.extend((table.0.len() as u64).to_be_bytes());
        aad.extend(table.0.bytes());
        aad.extend(&key.0);
        aad
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Vault(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Table = Table("sealed");

    fn key(byte: u8) -> VaultKey {
        VaultKey(Zeroizing::new([byte; 32]))
    }

    fn vault(byte: u8) -> Vault {
        Vault::with_nonces(&key(byte), ChaCha20Rng::seed_from_u64(1))
    }

    #[test]
    fn keys_are_read_in_each_form() {
        let bytes: Vec<u8> = (0..32).map(|at| at * 8 + 7).collect();
        let rows = [
            hex::encode(&bytes),
            hex::encode_upper(&bytes),
            format!("{}\n", hex::encode(&bytes)),
            base64::engine::general_purpose::STANDARD.encode(&bytes),
            base64::engine::general_purpose::URL_SAFE.encode(&bytes),
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes),
        ];
        for text in rows {
            let key = VaultKey::parse(&Secret::new(text.clone())).unwrap();
            assert_eq!(key.0.as_slice(), bytes, "{text}");
            assert_eq!(format!("{key:?}"), "***");
        }
        for text in ["", "a password", &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32)] {
            assert_eq!(VaultKey::parse(&Secret::new(text)).err(), Some(BadKey), "{text}");
        }
    }

    #[test]
    fn what_is_sealed_opens_here_and_only_here() {
        let (vault, row) = (vault(1), Key::of(&["oauth", "acme"]));
        let sealed = vault.seal(HERE, &row, b"s3cret");
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        assert_eq!(vault.open(HERE, &row, &sealed).unwrap().as_slice(), b"s3cret");
        assert_ne!(vault.seal(HERE, &row, b"s3cret"), sealed, "a nonce is used twice");
        let elsewhere = [(Table("other"), row.clone()), (HERE, Key::of(&["oauth", "other"]))];
        for (table, key) in elsewhere {
            assert_eq!(vault.open(table, &key, &sealed), Err(OpenError::Damaged));
        }
        assert_eq!(super::tests::vault(2).open(HERE, &row, &sealed), Err(OpenError::OtherKey));
    }

    #[test]
    fn every_damage_is_seen() {
        let (vault, row) = (vault(1), Key::of(&["a"]));
        let sealed = vault.seal(HERE, &row, b"text");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open(HERE, &row, &changed).is_err(), "byte {at}");
            assert!(vault.open(HERE, &row, &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(vault.open(HERE, &row, &[9, 9]), Err(OpenError::UnknownVersion(9)));
    }
}
