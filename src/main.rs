//! The command: reads the command line, wires tracer to output, and ends as the program ended.
fn main() {}
