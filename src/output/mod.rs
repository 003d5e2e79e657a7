//! Ways of showing the story: each file one of them.
