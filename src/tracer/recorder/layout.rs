//! Where things stand in the memory that the recorder's code shares with us, and in its code: addresses, offsets, sizes.
//!
//! At [`PASSING_PAGE`] a page of code whose calls our filters let pass, and behind it one whose calls stop. At [`SHARED`] a memory that
//! both sides have mapped: a header, two sets of descriptors, a slot for each thread, and the ring of records, twice in a row, so that a
//! record never has to wrap around.

use crate::tracer::places::{PAGE, PASSING_PAGE};

/// Where the shared memory begins; its first [`SLOTS_END`] bytes are aligned to their size, so that one comparison tells whether an
/// address lies in them.
pub const SHARED: u64 = PASSING_PAGE + (1 << 31);

/// How many low bits addresses of slots differ in.
pub const SLOT_BITS: u32 = 24;

/// Where the slots end at the latest, from the start of the shared memory.
pub const SLOTS_END: u64 = 1 << SLOT_BITS;

/// The size of the code: a page that passes, and one that stops.
pub const CODE_SIZE: u64 = 2 * PAGE;

/// Descriptors from here on are left to stops.
pub const MOST_DESCRIPTORS: u32 = 1 << 20;

/// Fields of the header: offsets in bytes. Each is 8 bytes wide.
pub mod header {
    /// Whether calls are recorded; else all of them go the way that stops.
    pub const ON: usize = 0;
    /// What tags are mixed with, so that nothing that a peer sends looks like one.
    pub const SECRET: usize = 8;
    /// How many bytes may wait in the ring for a call to be recorded still.
    pub const LIMIT: usize = 16;
    /// The ring's address.
    pub const RING: usize = 24;
    /// Its size less one.
    pub const MASK: usize = 32;
    /// How many bytes of payload are copied.
    pub const DATA: usize = 40;
    /// How many items of an array are copied.
    pub const ITEMS: usize = 48;
    /// The process's number in its own namespace.
    pub const PID: usize = 56;
    /// How many bytes of payload a call may ask for, or hand over, where all of it is to be copied.
    pub const LONGEST: usize = 64;
    /// How much has been taken from the ring since it was made, in bytes.
    pub const HEAD: usize = 128;
    /// How much has been reserved in it.
    pub const TAIL: usize = 256;
}

/// The set of descriptors that lead to sockets, from the start of the shared memory.
pub const SOCKETS: usize = 0x1_0000;

/// The set of descriptors that our filters cover.
pub const COVERED: usize = 0x4_0000;

/// The set of descriptors that led to sockets, and have led to nothing since.
pub const FORMER: usize = 0x7_0000;

/// Where the slots begin.
pub const SLOTS: usize = 0x10_0000;

/// Fields of a slot.
pub mod slot {
    /// One of [`state`](super::state), 4 bytes.
    pub const STATE: usize = 0;
    /// The trampoline by which the call came, and above [`FLAGS_SHIFT`](super::FLAGS_SHIFT) the flags.
    pub const SITE: usize = 8;
    /// The call's row in the code page.
    pub const ROW: usize = 16;
    /// The length behind a pointer, before the call.
    pub const BEFORE: usize = 24;
    /// Where in the ring the record goes.
    pub const POSITION: usize = 32;
    /// A scratch for calls of our own: two iovecs.
    pub const LOCAL: usize = 48;
    /// See [`LOCAL`].
    pub const REMOTE: usize = 64;
    /// Where the present piece stands.
    pub const PIECE: usize = 88;
    /// The next of the row's operations.
    pub const OPERATION: usize = 96;
    /// What is left of the transferred bytes while a vector is copied.
    pub const LEFT: usize = 104;
    /// What is left of the bytes that may be copied.
    pub const BUDGET: usize = 112;
    /// Whether the tracer is to be told of a descriptor that no filter covers.
    pub const NOTIFY: usize = 120;
    /// The next iovec to be copied.
    pub const VECTOR: usize = 128;
    /// The end of them.
    pub const VECTOR_END: usize = 136;
    /// Where the code goes on when a piece is copied.
    pub const LINK: usize = 352;
    /// A msghdr, as it was before the call.
    pub const KEPT: usize = 144;
    /// A struct stat, 144 bytes.
    pub const STAT: usize = 208;
    /// The flags after the call, as it leaves them in r11.
    pub const FLAGS: usize = 360;
    /// Whether the thread must not meet a fault, since its signal would change what the program does about it.
    pub const CAREFUL: usize = 368;
    /// The record that is being made: laid out as in [`record`](super::record).
    pub const RECORD: usize = 384;
}

/// Fields of a record.
pub mod record {
    /// The secret mixed with the record's position: written last, it says that the record is complete.
    pub const TAG: usize = 0;
    /// The record's size in bytes, a multiple of 8.
    pub const SIZE: usize = 8;
    /// The call's number.
    pub const NUMBER: usize = 16;
    /// Its arguments, 8 bytes each.
    pub const ARGS: usize = 24;
    /// The time stamp counter before the call.
    pub const START: usize = 72;
    /// The result.
    pub const VALUE: usize = 80;
    /// The time stamp counter after the call.
    pub const END: usize = 88;
    /// The inode of the socket that the call made; 0 where it made none.
    pub const INODE: usize = 96;
    /// The number of the thread's slot.
    pub const SLOT: usize = 104;
    /// What the call points to: pieces of address, length and bytes, each padded to 8 bytes.
    pub const PIECES: usize = 112;
}

/// The bit of a piece's length that marks what stood there before the call.
pub const IS_BEFORE: u64 = 1 << 63;

/// How many bytes pieces take beside the payload, at most: heads, a msghdr before and after, its name, 32 iovecs and their heads; or 64
/// pollfds; or a long option.
pub const PIECES_BESIDE_DATA: usize = 2048;

/// How far a thread is.
pub mod state {
    /// In none of our calls.
    pub const IDLE: u32 = 0;
    /// In the kernel, or on its way there.
    pub const CALLING: u32 = 1;
    /// Back, its record not yet reserved.
    pub const BACK: u32 = 2;
    /// Its record is complete; space in the ring is being reserved.
    pub const RESERVING: u32 = 3;
    /// The record is being put into the ring.
    pub const RESERVED: u32 = 4;
}

/// From this bit on a word holds flags beside an address: overflow in 8 bits, above that the others as lahf gives them.
pub const FLAGS_SHIFT: u32 = 48;

/// Bits of the flags register.
pub mod flags {
    /// Those that lahf and sahf know: CF, PF, AF, ZF, SF.
    pub const STATUS: u64 = 0xd5;
    /// Direction.
    pub const DIRECTION: u64 = 1 << 10;
    /// Overflow.
    pub const OVERFLOW: u64 = 1 << 11;
}

/// A trampoline: its size, and what stands where in it.
pub mod trampoline {
    /// Trampolines are aligned to their size.
    pub const SIZE: usize = 64;
    /// The instruction that makes the call where it stops.
    pub const STOP: usize = 13;
    /// The way back to the site.
    pub const BACK: usize = 15;
    /// The address of the code.
    pub const ENTRY: usize = 32;
}

/// How a row of the code's table is laid out.
pub mod row {
    /// Its size.
    pub const SIZE: usize = 16;
    /// Flags of [`flag`](super::flag), 2 bytes.
    pub const FLAGS: usize = 0;
    /// The argument that holds the descriptor.
    pub const DESCRIPTOR: usize = 2;
    /// The argument that points to a length.
    pub const LENGTH: usize = 3;
    /// Operations, 2 bytes each, up to one that is 0.
    pub const OPERATIONS: usize = 4;
}

/// What is special about a call.
pub mod flag {
    /// It is recorded whatever its descriptor is, or has none.
    pub const ALWAYS: u16 = 1;
    /// It closes its descriptor.
    pub const CLOSES: u16 = 2;
    /// It returns a new socket's descriptor.
    pub const OPENS: u16 = 4;
    /// It points to a length that is a value and a result: that is kept. Longer than [`LONGEST_OPTION`](super::LONGEST_OPTION): it stops.
    pub const LENGTH: u16 = 8;
    /// It takes MSG_* in its fourth argument; with some of them its buffer is not what it says, and it stops.
    pub const RECEIVES: u16 = 16;
    /// It points to a msghdr, which is kept; with control messages it stops.
    pub const MESSAGE: u16 = 32;
    /// fcntl(2): it stops unless its command takes or gives a plain number.
    pub const COMMAND: u16 = 64;
    /// poll(2): it stops where it asks for many.
    pub const FEW: u16 = 128;
    /// Its option is handed over: with a long one it stops.
    pub const OPTION: u16 = 256;
    /// It points to an offset in a file that is a value and a result: that is kept.
    pub const OFFSET: u16 = 512;
    /// ioctl(2): it stops unless its request is FIONBIO or FIONREAD.
    pub const REQUEST: u16 = 1024;
    /// Its payload is a vector of buffers.
    pub const VECTOR: u16 = 2048;
    /// It has payload, of which all is to be copied: where that may be too long, it stops. Set where it is wished for.
    pub const WHOLE: u16 = 4096;
}

/// Options of sockets that are longer stop.
pub const LONGEST_OPTION: u32 = 256;

/// Vectors of more buffers stop where all payload is to be copied.
pub const MOST_BUFFERS: u32 = 32;

/// poll(2) of more descriptors stops.
pub const MOST_POLLED: u32 = 64;
