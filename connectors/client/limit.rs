//! Pacing: buckets and lanes.
