//! What a call means: which conversation it belongs to, which stage of it, and what to say of it. Pure.
