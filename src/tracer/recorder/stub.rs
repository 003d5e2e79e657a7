//! The recorder's code: the machine code that patched sites jump to, and the table of the calls that it records.

use std::arch::global_asm;

use libc::c_long;

use super::layout::{
    CODE_SIZE, COVERED, FLAGS_SHIFT, FORMER, IS_BEFORE, LONGEST_OPTION, MOST_BUFFERS,
    MOST_DESCRIPTORS, MOST_POLLED, SHARED, SLOT_BITS, SOCKETS, flag, flags, header, record, row,
    slot, state, trampoline,
};
use crate::syscall::{LONGEST_ADDRESS, MESSAGE_HEADER};
use crate::tracer::places::PAGE;

/// Numbers of calls from here on are left to stops.
const NUMBERS: usize = 512;

/// How many rows the table may have, with the first one, which means none.
const ROWS: usize = 32;

/// A call that stops always, made where calls stop: the tracer sees it and knows why.
pub const SYS_NOTIFY: c_long = libc::SYS_pidfd_getfd;

/// What is copied of that to which an argument points; the second argument says how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Operation {
    Sent = 1,
    Received,
    Address,
    AddressBack,
    Option,
    Events,
    Event,
    Polled,
    VectorSent,
    VectorReceived,
    MessageSent,
    MessageReceived,
    Mask,
    Word,
    Offset,
}

use Operation::{
    Address, AddressBack, Event, Events, Mask, MessageReceived, MessageSent, Offset,
    Option as OptionGiven, Polled, Received, Sent, VectorReceived, VectorSent, Word,
};

/// A call that is recorded: its number, its flags, the argument with its descriptor, the argument that points to a length, and
/// what is copied: operation, argument with the pointer, argument with its length or count.
type Recorded = (c_long, u16, u8, u8, &'static [(Operation, u8, u8)]);

#[rustfmt::skip]
const RECORDED: &[Recorded] = &[
    (libc::SYS_read,        0, 0, 0, &[(Received, 1, 2)]),
    (libc::SYS_write,       0, 0, 0, &[(Sent, 1, 2)]),
    (libc::SYS_pread64,     0, 0, 0, &[(Received, 1, 2)]),
    (libc::SYS_pwrite64,    0, 0, 0, &[(Sent, 1, 2)]),
    (libc::SYS_sendfile,    flag::ALWAYS | flag::OFFSET, 0, 2, &[(Offset, 2, 2)]),
    (libc::SYS_ioctl,       flag::REQUEST, 0, 0, &[(Word, 2, 2)]),
    (libc::SYS_readv,       flag::VECTOR, 0, 0, &[(VectorReceived, 1, 2)]),
    (libc::SYS_writev,      flag::VECTOR, 0, 0, &[(VectorSent, 1, 2)]),
    (libc::SYS_sendto,      flag::ALWAYS, 0, 0, &[(Sent, 1, 2), (Address, 4, 5)]),
    (libc::SYS_recvfrom,    flag::ALWAYS | flag::LENGTH | flag::RECEIVES, 0, 5, &[(Received, 1, 2), (AddressBack, 4, 5)]),
    (libc::SYS_sendmsg,     flag::ALWAYS | flag::MESSAGE, 0, 0, &[(MessageSent, 1, 1)]),
    (libc::SYS_recvmsg,     flag::ALWAYS | flag::MESSAGE, 0, 0, &[(MessageReceived, 1, 1)]),
    (libc::SYS_close,       flag::CLOSES, 0, 0, &[]),
    (libc::SYS_socket,      flag::ALWAYS | flag::OPENS, 0, 0, &[]),
    (libc::SYS_connect,     flag::ALWAYS, 0, 0, &[(Address, 1, 2)]),
    (libc::SYS_bind,        flag::ALWAYS, 0, 0, &[(Address, 1, 2)]),
    (libc::SYS_listen,      flag::ALWAYS, 0, 0, &[]),
    (libc::SYS_accept,      flag::ALWAYS | flag::OPENS | flag::LENGTH, 0, 2, &[(AddressBack, 1, 2)]),
    (libc::SYS_accept4,     flag::ALWAYS | flag::OPENS | flag::LENGTH, 0, 2, &[(AddressBack, 1, 2)]),
    (libc::SYS_shutdown,    flag::ALWAYS, 0, 0, &[]),
    (libc::SYS_getsockname, flag::ALWAYS | flag::LENGTH, 0, 2, &[(AddressBack, 1, 2)]),
    (libc::SYS_getpeername, flag::ALWAYS | flag::LENGTH, 0, 2, &[(AddressBack, 1, 2)]),
    (libc::SYS_setsockopt,  flag::ALWAYS | flag::OPTION, 0, 0, &[(OptionGiven, 3, 4)]),
    (libc::SYS_getsockopt,  flag::ALWAYS | flag::LENGTH, 0, 4, &[(AddressBack, 3, 4)]),
    (libc::SYS_fcntl,       flag::COMMAND, 0, 0, &[]),
    (libc::SYS_poll,        flag::ALWAYS | flag::FEW, 0, 0, &[(Polled, 0, 1)]),
    (libc::SYS_epoll_ctl,   flag::ALWAYS, 0, 0, &[(Event, 3, 3)]),
    (libc::SYS_epoll_wait,  flag::ALWAYS, 0, 0, &[(Events, 1, 2)]),
    (libc::SYS_epoll_pwait, flag::ALWAYS, 0, 0, &[(Events, 1, 2), (Mask, 4, 5)]),
];

global_asm!(
    include_str!("stub.s"),
    SHARED = const SHARED,
    SLOT_BITS = const SLOT_BITS,
    SLOTS_HIGH = const SHARED >> SLOT_BITS,
    ON = const header::ON,
    SECRET = const header::SECRET,
    LIMIT = const header::LIMIT,
    RING = const header::RING,
    MASK = const header::MASK,
    DATA = const header::DATA,
    ITEMS = const header::ITEMS,
    PID = const header::PID,
    LONGEST = const header::LONGEST,
    HEAD = const header::HEAD,
    TAIL = const header::TAIL,
    SOCKETS = const SOCKETS,
    FORMER = const FORMER,
    COVERED = const COVERED,
    STATE = const slot::STATE,
    SITE = const slot::SITE,
    ROW = const slot::ROW,
    BEFORE = const slot::BEFORE,
    POSITION = const slot::POSITION,
    LOCAL = const slot::LOCAL,
    REMOTE = const slot::REMOTE,
    PIECE = const slot::PIECE,
    OPERATION = const slot::OPERATION,
    LEFT = const slot::LEFT,
    BUDGET = const slot::BUDGET,
    NOTIFY = const slot::NOTIFY,
    VECTOR = const slot::VECTOR,
    VECTOR_END = const slot::VECTOR_END,
    LINK = const slot::LINK,
    FLAGS = const slot::FLAGS,
    CAREFUL = const slot::CAREFUL,
    FLAGS_SHIFT = const FLAGS_SHIFT,
    DIRECTION = const flags::DIRECTION.trailing_zeros(),
    OVERFLOW = const flags::OVERFLOW.trailing_zeros(),
    STATUS_FLAGS = const flags::STATUS,
    OTHER_FLAGS = const !(flags::STATUS | flags::OVERFLOW) as i32,
    KEPT = const slot::KEPT,
    STAT = const slot::STAT,
    RECORD = const slot::RECORD,
    PIECES = const record::PIECES,
    R_SIZE = const slot::RECORD + record::SIZE,
    R_NUMBER = const slot::RECORD + record::NUMBER,
    R_ARGS = const slot::RECORD + record::ARGS,
    R_START = const slot::RECORD + record::START,
    R_VALUE = const slot::RECORD + record::VALUE,
    R_END = const slot::RECORD + record::END,
    R_INODE = const slot::RECORD + record::INODE,
    IDLE = const state::IDLE,
    CALLING = const state::CALLING,
    BACK = const state::BACK,
    RESERVING = const state::RESERVING,
    RESERVED = const state::RESERVED,
    ROW_FLAGS = const row::FLAGS,
    ROW_DESCRIPTOR = const row::DESCRIPTOR,
    ROW_LENGTH = const row::LENGTH,
    ROW_OPERATIONS = const row::OPERATIONS,
    ALWAYS = const flag::ALWAYS,
    CLOSES = const flag::CLOSES,
    OPENS = const flag::OPENS,
    LENGTH = const flag::LENGTH,
    RECEIVES = const flag::RECEIVES,
    MESSAGE = const flag::MESSAGE,
    COMMAND = const flag::COMMAND,
    FEW = const flag::FEW,
    OPTION = const flag::OPTION,
    OFFSET = const flag::OFFSET,
    REQUEST = const flag::REQUEST,
    VECTORED = const flag::VECTOR,
    WHOLE = const flag::WHOLE,
    FIONBIO = const libc::FIONBIO,
    FIONREAD = const libc::FIONREAD,
    LOOKS = const flag::LENGTH | flag::RECEIVES | flag::MESSAGE | flag::COMMAND | flag::FEW | flag::OPTION
        | flag::OFFSET | flag::REQUEST | flag::WHOLE,
    TO_STOP = const trampoline::STOP,
    TO_BACK = const trampoline::BACK,
    NUMBERS = const NUMBERS,
    ROWS = const ROWS,
    PAGE = const PAGE,
    MOST_DESCRIPTORS = const MOST_DESCRIPTORS,
    MOST_POLLED = const MOST_POLLED,
    MOST_BUFFERS = const MOST_BUFFERS,
    LONGEST_ADDRESS = const LONGEST_ADDRESS,
    LONGEST_OPTION = const LONGEST_OPTION,
    MESSAGE_HEADER = const MESSAGE_HEADER,
    IS_BEFORE = const IS_BEFORE,
    MSG_ODD = const libc::MSG_TRUNC | libc::MSG_ERRQUEUE,
    F_SETFL = const libc::F_SETFL,
    EPOLL_CTL_DEL = const libc::EPOLL_CTL_DEL,
    EBADF = const libc::EBADF,
    INODE_OF_STAT = const std::mem::offset_of!(libc::stat, st_ino),
    SYS_fstat = const libc::SYS_fstat,
    SYS_process_vm_readv = const libc::SYS_process_vm_readv,
    SYS_NOTIFY = const SYS_NOTIFY,
);

/// Places in the code, in bytes from its start; what they mean for a thread that is found there, `settle.rs` says.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[expect(
    missing_docs,
    reason = "they are explained where they stand, in stub.s"
)]
pub struct Labels {
    pub putting_aside: u32,
    pub packing: u32,
    pub packed: u32,
    pub sited: u32,
    pub ready: u32,
    pub call: u32,
    pub called: u32,
    pub back: u32,
    pub copying: u32,
    pub faulted: u32,
    pub loading: u32,
    pub next: u32,
    pub reserve: u32,
    pub reserved: u32,
    pub restore: u32,
    pub leave: u32,
    pub restored: u32,
    pub pass: u32,
    pub passed: u32,
    pub passing: u32,
    pub bad: u32,
    pub divert_sited: u32,
    pub divert: u32,
    pub unpacked: u32,
    pub flags_restored: u32,
    pub diverted: u32,
    pub look: u32,
    pub looking_at_length: u32,
    pub looking_at_offset: u32,
    pub looking_at_message: u32,
    pub looked_at_message: u32,
    pub looking_at_vector: u32,
    pub notify: u32,
    rows: u32,
    numbers: u32,
    end: u32,
    pub notified: u32,
}

impl Labels {
    /// Where the code ends.
    pub fn rows(&self) -> u32 {
        self.rows
    }
}

unsafe extern "C" {
    static recorder_start: u8;
    static recorder_whole: u8;
    static recorder_labels: Labels;
}

/// Where what stands in the code.
pub fn labels() -> &'static Labels {
    // SAFETY: the assembler has put the numbers there, as many as there are fields, and nothing writes them.
    unsafe { &recorder_labels }
}

/// The code with its tables, as it is put into a program; with `whole`, calls whose payload may be too long to be copied stop.
pub fn image(whole: bool) -> Vec<u8> {
    // SAFETY: both labels stand in one read-only section, the second behind the first.
    let mut image = unsafe {
        let start = &raw const recorder_start;
        let len = (&raw const recorder_whole).offset_from(start);
        std::slice::from_raw_parts(start, len.unsigned_abs()).to_vec()
    };
    let (rows, numbers) = (labels().rows as usize, labels().numbers as usize);
    for (index, (number, flags, descriptor, length, operations)) in (1..).zip(RECORDED) {
        image[numbers + *number as usize] = index;
        let at = rows + usize::from(index) * row::SIZE;
        let bytes = &mut image[at..at + row::SIZE];
        let has_payload = operations.iter().any(|(one, ..)| PAYLOAD.contains(one));
        let flags = match whole && has_payload {
            true => flags | flag::WHOLE,
            false => *flags,
        };
        bytes[row::FLAGS..][..2].copy_from_slice(&flags.to_le_bytes());
        bytes[row::DESCRIPTOR] = *descriptor;
        bytes[row::LENGTH] = *length;
        for ((operation, pointer, length), place) in operations
            .iter()
            .zip(bytes[row::OPERATIONS..].chunks_exact_mut(2))
        {
            place.copy_from_slice(&[*operation as u8, pointer | length << 4]);
        }
    }
    image.resize(CODE_SIZE as usize, 0);
    image[NAME as usize..][..10].copy_from_slice(b"sockstrace");
    image
}

/// The operations that copy payload.
const PAYLOAD: [Operation; 6] = [
    Sent,
    Received,
    VectorSent,
    VectorReceived,
    MessageSent,
    MessageReceived,
];

/// Where in the image the memory's name stands, which ends with NUL.
pub const NAME: u64 = CODE_SIZE - 16;

/// Whether the code can record a call of that number.
pub fn records(number: u64) -> bool {
    recorded(number).is_some()
}

/// Its row.
fn recorded(number: u64) -> Option<&'static Recorded> {
    RECORDED.iter().find(|(known, ..)| *known as u64 == number)
}

/// What is special about a call that is recorded ([`flag`]); 0 for others.
pub fn traits(number: u64) -> u16 {
    recorded(number).map_or(0, |(_, flags, ..)| *flags)
}

/// The argument of a call with [`flag::LENGTH`] that points to a length.
pub fn length_argument(number: u64) -> usize {
    recorded(number).map_or(0, |(_, _, _, length, _)| (*length).into())
}

const _: () = assert!(RECORDED.len() < ROWS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_fits_its_page_and_makes_calls_from_there_only_where_it_should() {
        let image = image(true);
        let labels = labels();
        assert!(u64::from(labels.notified) < NAME);
        assert!(u64::from(labels.end) <= PAGE, "{} bytes", labels.end);
        let calls: Vec<usize> = (0..labels.rows as usize)
            .filter(|at| image[*at..].starts_with(&crate::tracer::abi::CALL))
            .collect();
        assert_eq!(
            calls.len(),
            4,
            "the call, one that passes, fstat, process_vm_readv"
        );
        assert!(calls.contains(&(labels.call as usize)));
        assert_eq!(labels.call + 2, labels.called);
        assert!(u64::from(labels.notified) > PAGE);
    }
}
