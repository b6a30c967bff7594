//! Several vendors and the net between them and us.
