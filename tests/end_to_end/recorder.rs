//! The recorder is held against the truth: calls that programs count themselves, programs that look for any trace of it in them, and
//! real programs, whose every connection must be told as it is without it.

mod counted;
mod real;
mod unnoticed;
