//! What the recorder needs to see calls without stopping the program.

pub mod padding;
