//! The adapter as a whole: against the simulator, by the standard suite.
