//! Stripe in memory.

use crate::sim::{SimSetup, VendorSim};

/// Starts the simulator.
pub fn start(_setup: SimSetup) -> Box<dyn VendorSim> {
    unimplemented!()
}
