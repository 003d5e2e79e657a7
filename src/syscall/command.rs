//! What the commands of fcntl(2) and the requests of ioctl(2) are called, and what their argument holds. One row a command.

use super::Names;
use super::names::{file, interface, process};
use super::shape::{Field, Shape, Shape::*};
use super::structures::{FLOCK, OWNER_EX, TIMESPEC, TIMEVAL};

/// What the third argument is.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// There is none.
    None,
    /// The register itself holds it.
    Register(Shape),
    /// A pointer to what the program hands over.
    Takes(Shape),
    /// A pointer to what the call fills.
    Gives(Shape),
    /// A pointer to a question, overwritten with the answer.
    Asks(Shape, Shape),
}

use Argument::{Asks, Gives, None as Nothing, Register, Takes};

/// Commands by number.
#[derive(Debug)]
pub struct Commands {
    /// Their names.
    pub names: Names,
    /// What each takes, in the order of the names.
    arguments: &'static [Argument],
}

impl Commands {
    /// What the command of that number takes; nothing for one that is not known.
    pub fn argument(&self, number: u32) -> Option<Argument> {
        let at = self
            .names
            .rows
            .iter()
            .position(|(known, _)| *known == u64::from(number))?;
        self.arguments.get(at).copied()
    }
}

impl Argument {
    /// Whether it is a descriptor, or leads to one.
    pub fn holds_descriptor(&self) -> bool {
        match self {
            Self::None => false,
            Register(shape) | Takes(shape) | Gives(shape) => shape.holds_descriptor(),
            Asks(question, answer) => question.holds_descriptor() || answer.holds_descriptor(),
        }
    }
}

macro_rules! commands {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($number:literal $command:literal $argument:expr;)* }) => {
        $(#[$doc])*
        pub static $name: Commands = Commands {
            names: Names::new($prefix, &[$(($number, $command)),*]),
            arguments: &[$($argument),*],
        };
    };
}

const INT: Argument = Register(Signed(4));
const HINT: Shape = Unsigned(8);

commands! {
    /// fcntl(2).
    FCNTL "F_???" {
        0 "F_DUPFD" INT;
        1 "F_GETFD" Nothing;
        2 "F_SETFD" Register(Flags(&file::FD, 4));
        3 "F_GETFL" Nothing;
        4 "F_SETFL" Register(Flags(&file::OPEN, 4));
        5 "F_GETLK" Takes(FLOCK);
        6 "F_SETLK" Takes(FLOCK);
        7 "F_SETLKW" Takes(FLOCK);
        8 "F_SETOWN" INT;
        9 "F_GETOWN" Nothing;
        10 "F_SETSIG" Register(Const(&process::SIGNAL, 4));
        11 "F_GETSIG" Nothing;
        15 "F_SETOWN_EX" Takes(OWNER_EX);
        16 "F_GETOWN_EX" Gives(OWNER_EX);
        17 "F_GETOWNER_UIDS" Gives(List(&Unsigned(4)));
        36 "F_OFD_GETLK" Takes(FLOCK);
        37 "F_OFD_SETLK" Takes(FLOCK);
        38 "F_OFD_SETLKW" Takes(FLOCK);
        1024 "F_SETLEASE" Register(Const(&file::LOCK, 4));
        1025 "F_GETLEASE" Nothing;
        1026 "F_NOTIFY" Register(Hex(4));
        1027 "F_DUPFD_QUERY" Register(Fd);
        1028 "F_CREATED_QUERY" Nothing;
        1029 "F_CANCELLK" Takes(FLOCK);
        1030 "F_DUPFD_CLOEXEC" INT;
        1031 "F_SETPIPE_SZ" INT;
        1032 "F_GETPIPE_SZ" Nothing;
        1033 "F_ADD_SEALS" Register(Flags(&file::SEAL, 4));
        1034 "F_GET_SEALS" Nothing;
        1035 "F_GET_RW_HINT" Gives(HINT);
        1036 "F_SET_RW_HINT" Takes(HINT);
        1037 "F_GET_FILE_RW_HINT" Gives(HINT);
        1038 "F_SET_FILE_RW_HINT" Takes(HINT);
    }
}

/// struct ifreq (netdevice(7)) begins with a name; a union follows, of which each request uses one member.
const NAME: Field = ("ifr_name", 0, Name);
/// The name alone: what a request for something else asks with.
const BY_NAME: Shape = Struct(&[NAME]);
const INDEX: Shape = Struct(&[NAME, ("ifr_ifindex", 16, Signed(4))]);
const BY_INDEX: Shape = Struct(&[("ifr_ifindex", 16, Signed(4))]);
const FLAGS: Shape = Struct(&[NAME, ("ifr_flags", 16, Flags(&interface::FLAGS, 2))]);
const METRIC: Shape = Struct(&[NAME, ("ifr_metric", 16, Signed(4))]);
const MTU: Shape = Struct(&[NAME, ("ifr_mtu", 16, Signed(4))]);
const QUEUE: Shape = Struct(&[NAME, ("ifr_qlen", 16, Signed(4))]);
const NEW_NAME: Shape = Struct(&[NAME, ("ifr_newname", 16, Name)]);
const SLAVE: Shape = Struct(&[NAME, ("ifr_slave", 16, Name)]);
const ADDRESS: Shape = Struct(&[NAME, ("ifr_addr", 16, ShortAddress)]);
const DESTINATION: Shape = Struct(&[NAME, ("ifr_dstaddr", 16, ShortAddress)]);
const BROADCAST: Shape = Struct(&[NAME, ("ifr_broadaddr", 16, ShortAddress)]);
const NETMASK: Shape = Struct(&[NAME, ("ifr_netmask", 16, ShortAddress)]);
const HARDWARE: Shape = Struct(&[NAME, ("ifr_hwaddr", 16, HARDWARE_ADDRESS)]);
const DATA: Shape = Struct(&[NAME, ("ifr_data", 16, Pointer)]);
const HARDWARE_ADDRESS: Shape = Struct(&[
    ("sa_family", 0, Const(&interface::HARDWARE, 2)),
    ("sa_data", 2, HardwareAddress),
]);
/// struct ifconf.
const CONFIGURATION: Shape = Struct(&[("ifc_len", 0, Signed(4)), ("ifc_buf", 8, Pointer)]);
/// struct arpreq.
const ARP: Shape = Struct(&[
    ("arp_pa", 0, ShortAddress),
    ("arp_ha", 16, HARDWARE_ADDRESS),
    ("arp_flags", 32, Hex(4)),
    ("arp_dev", 52, Name),
]);
const WINDOW: Shape = Struct(&[("ws_row", 0, Unsigned(2)), ("ws_col", 2, Unsigned(2))]);
/// A structure that is not looked into.
const UNREAD: Argument = Takes(Unread);
const NUMBER: Argument = Gives(Signed(4));
const SWITCH: Argument = Takes(Signed(4));

commands! {
    /// ioctl(2): what sockets know, and what programs ask of any descriptor (asm-generic/ioctls.h, linux/sockios.h).
    IOCTL "_IOC_???" {
        0x5401 "TCGETS" UNREAD;
        0x540f "TIOCGPGRP" NUMBER;
        0x5411 "SIOCOUTQ" NUMBER;
        0x5413 "TIOCGWINSZ" Gives(WINDOW);
        0x541b "FIONREAD" NUMBER;
        0x5421 "FIONBIO" SWITCH;
        0x5450 "FIONCLEX" Nothing;
        0x5451 "FIOCLEX" Nothing;
        0x5452 "FIOASYNC" SWITCH;
        0x5460 "FIOQSIZE" Gives(Signed(8));
        0x8901 "FIOSETOWN" SWITCH;
        0x8902 "SIOCSPGRP" SWITCH;
        0x8903 "FIOGETOWN" NUMBER;
        0x8904 "SIOCGPGRP" NUMBER;
        0x8905 "SIOCATMARK" NUMBER;
        0x8906 "SIOCGSTAMP" Gives(TIMEVAL);
        0x8907 "SIOCGSTAMPNS" Gives(TIMESPEC);
        0x8010_8906 "SIOCGSTAMP_NEW" Gives(TIMEVAL);
        0x8010_8907 "SIOCGSTAMPNS_NEW" Gives(TIMESPEC);
        0x890b "SIOCADDRT" UNREAD;
        0x890c "SIOCDELRT" UNREAD;
        0x890d "SIOCRTMSG" UNREAD;
        0x8910 "SIOCGIFNAME" Asks(BY_INDEX, INDEX);
        0x8911 "SIOCSIFLINK" Takes(BY_NAME);
        0x8912 "SIOCGIFCONF" Takes(CONFIGURATION);
        0x8913 "SIOCGIFFLAGS" Asks(BY_NAME, FLAGS);
        0x8914 "SIOCSIFFLAGS" Takes(FLAGS);
        0x8915 "SIOCGIFADDR" Asks(BY_NAME, ADDRESS);
        0x8916 "SIOCSIFADDR" Takes(ADDRESS);
        0x8917 "SIOCGIFDSTADDR" Asks(BY_NAME, DESTINATION);
        0x8918 "SIOCSIFDSTADDR" Takes(DESTINATION);
        0x8919 "SIOCGIFBRDADDR" Asks(BY_NAME, BROADCAST);
        0x891a "SIOCSIFBRDADDR" Takes(BROADCAST);
        0x891b "SIOCGIFNETMASK" Asks(BY_NAME, NETMASK);
        0x891c "SIOCSIFNETMASK" Takes(NETMASK);
        0x891d "SIOCGIFMETRIC" Asks(BY_NAME, METRIC);
        0x891e "SIOCSIFMETRIC" Takes(METRIC);
        0x891f "SIOCGIFMEM" Takes(BY_NAME);
        0x8920 "SIOCSIFMEM" Takes(BY_NAME);
        0x8921 "SIOCGIFMTU" Asks(BY_NAME, MTU);
        0x8922 "SIOCSIFMTU" Takes(MTU);
        0x8923 "SIOCSIFNAME" Takes(NEW_NAME);
        0x8924 "SIOCSIFHWADDR" Takes(HARDWARE);
        0x8925 "SIOCGIFENCAP" Takes(BY_NAME);
        0x8926 "SIOCSIFENCAP" Takes(BY_NAME);
        0x8927 "SIOCGIFHWADDR" Asks(BY_NAME, HARDWARE);
        0x8929 "SIOCGIFSLAVE" Asks(BY_NAME, SLAVE);
        0x8930 "SIOCSIFSLAVE" Takes(SLAVE);
        0x8931 "SIOCADDMULTI" Takes(HARDWARE);
        0x8932 "SIOCDELMULTI" Takes(HARDWARE);
        0x8933 "SIOCGIFINDEX" Asks(BY_NAME, INDEX);
        0x8934 "SIOCSIFPFLAGS" Takes(FLAGS);
        0x8935 "SIOCGIFPFLAGS" Asks(BY_NAME, FLAGS);
        0x8936 "SIOCDIFADDR" Takes(ADDRESS);
        0x8937 "SIOCSIFHWBROADCAST" Takes(HARDWARE);
        0x8938 "SIOCGIFCOUNT" NUMBER;
        0x8940 "SIOCGIFBR" UNREAD;
        0x8941 "SIOCSIFBR" UNREAD;
        0x8942 "SIOCGIFTXQLEN" Asks(BY_NAME, QUEUE);
        0x8943 "SIOCSIFTXQLEN" Takes(QUEUE);
        0x8946 "SIOCETHTOOL" Takes(DATA);
        0x8947 "SIOCGMIIPHY" Takes(BY_NAME);
        0x8948 "SIOCGMIIREG" Takes(BY_NAME);
        0x8949 "SIOCSMIIREG" Takes(BY_NAME);
        0x894a "SIOCWANDEV" Takes(BY_NAME);
        0x894b "SIOCOUTQNSD" NUMBER;
        0x894c "SIOCGSKNS" Nothing;
        0x8953 "SIOCDARP" Takes(ARP);
        0x8954 "SIOCGARP" Takes(ARP);
        0x8955 "SIOCSARP" Takes(ARP);
        0x8960 "SIOCDRARP" Takes(ARP);
        0x8961 "SIOCGRARP" Takes(ARP);
        0x8962 "SIOCSRARP" Takes(ARP);
        0x8970 "SIOCGIFMAP" Takes(BY_NAME);
        0x8971 "SIOCSIFMAP" Takes(BY_NAME);
        0x8980 "SIOCADDDLCI" UNREAD;
        0x8981 "SIOCDELDLCI" UNREAD;
        0x8982 "SIOCGIFVLAN" UNREAD;
        0x8983 "SIOCSIFVLAN" UNREAD;
        0x8990 "SIOCBONDENSLAVE" Takes(SLAVE);
        0x8991 "SIOCBONDRELEASE" Takes(SLAVE);
        0x8992 "SIOCBONDSETHWADDR" Takes(BY_NAME);
        0x8993 "SIOCBONDSLAVEINFOQUERY" Takes(DATA);
        0x8994 "SIOCBONDINFOQUERY" Takes(DATA);
        0x8995 "SIOCBONDCHANGEACTIVE" Takes(SLAVE);
        0x89a0 "SIOCBRADDBR" Takes(Name);
        0x89a1 "SIOCBRDELBR" Takes(Name);
        0x89a2 "SIOCBRADDIF" Takes(INDEX);
        0x89a3 "SIOCBRDELIF" Takes(INDEX);
        0x89b0 "SIOCSHWTSTAMP" Takes(DATA);
        0x89b1 "SIOCGHWTSTAMP" Takes(DATA);
        0x89e0 "SIOCUNIXFILE" Nothing;
        0x8b01 "SIOCGIWNAME" Asks(BY_NAME, Struct(&[NAME, ("name", 16, Name)]));
        0x8b05 "SIOCGIWFREQ" Takes(BY_NAME);
        0x8b07 "SIOCGIWMODE" Takes(BY_NAME);
        0x8b15 "SIOCGIWAP" Asks(BY_NAME, Struct(&[NAME, ("ap_addr", 16, HARDWARE_ADDRESS)]));
        0x8b1b "SIOCGIWESSID" Takes(BY_NAME);
        0x8b21 "SIOCGIWRATE" Takes(BY_NAME);
    }
}
