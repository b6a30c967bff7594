//! Who signs requests.

use futures_util::future::BoxFuture;

use crate::contract::{Call, Result, Secret};

/// Signs requests of one account.
pub trait Authorizer: Send + Sync {
    /// The `Authorization` value to send now.
    fn header(&self, call: Call) -> BoxFuture<'_, Result<Secret>>;
    /// The vendor answered 401 to a request that carried `used`. `true`: there
    /// is another credential now, try once more.
    fn rejected<'a>(&'a self, call: Call, used: &'a Secret) -> BoxFuture<'a, Result<bool>>;
}

/// A credential that never changes.
pub struct StaticAuthorizer(pub Secret);

impl Authorizer for StaticAuthorizer {
    fn header(&self, _call: Call) -> BoxFuture<'_, Result<Secret>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn rejected<'a>(&'a self, _call: Call, _used: &'a Secret) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async { Ok(false) })
    }
}
