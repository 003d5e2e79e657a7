# A network of its own for a command: 10.77.0.1 is the command's end, 10.77.0.2 a peer behind a link that is slow and loses packets. At
# the peer's port 80 whoever asks gets an answer of as many bytes as it asks for; 10.77.1.9 and fd77:1::9 have neighbour entries and are
# nobody. A name server at 127.0.0.1 knows far.test, far.b.test and both.test, whose IPv6 address is nobody's; one at 127.0.0.2 is silent.
# Arguments: the delay of each packet in ms, which of the packets with data is lost (the n-th each time, 0 for none), the lines of
# resolv.conf(5) with / between them, the command.
import ctypes, fcntl, heapq, ipaddress, os, select, socket, struct, subprocess, sys, tempfile, time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, PR_SET_PDEATHSIG, SIGKILL = 0x40000000, 1, 9
TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI = 0x400454CA, 1, 2, 0x1000


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, SIGKILL)


def device(name, kind):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), kind | IFF_NO_PI))
    return fd


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def end(name, address, kind=IFF_TUN):
    fd = device(name, kind)
    ip("address", "add", address, "dev", name)
    ip("link", "set", name, "up")
    return fd


def serve():
    listener = socket.create_server(("10.77.0.2", 80))
    os.write(1, b"ready\n")
    while True:
        peer, _ = listener.accept()
        if os.fork():
            peer.close()
            continue
        die_with_parent()
        while asked := peer.recv(64):
            peer.sendall(b"x" * int(asked))
        os._exit(0)


NAMES = {
    b"far.test": ["10.77.0.2"],
    b"far.b.test": ["10.77.0.2"],
    b"both.test": ["10.77.0.2", "fd77:1::9"],
}


def name():
    silent, server = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
    silent.bind(("127.0.0.2", 53))
    server.bind(("127.0.0.1", 53))
    os.write(1, b"named\n")
    while True:
        # RFC 1035 section 4: a head of 12 bytes, labels with their lengths, type and class.
        query, client = server.recvfrom(512)
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]])
            at += 1 + query[at]
        kind = query[at + 1 : at + 3]
        asked = b".".join(labels).lower()
        version = {b"\0\1": 4, b"\0\x1c": 6}.get(kind)
        all = [ipaddress.ip_address(address) for address in NAMES.get(asked, [])]
        found = [address.packed for address in all if address.version == version]
        code = 0x8180 if asked in NAMES else 0x8183
        head = query[:2] + struct.pack(">5H", code, 1, len(found), 0, 0)
        answers = [b"\xc0\x0c" + kind + struct.pack(">HIH", 1, 60, len(it)) + it for it in found]
        server.sendto(head + query[12 : at + 5] + b"".join(answers), client)


def has_data(packet):
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return False
    start = (packet[0] & 15) * 4
    return len(packet) > start + (packet[start + 12] >> 4) * 4


def relay(one, other, delay, lost):
    late, count = [], 0
    while True:
        wait = max(0, late[0][0] - time.monotonic()) if late else None
        for fd in select.select([one, other], [], [], wait)[0]:
            packet = os.read(fd, 65536)
            count += has_data(packet)
            if not (lost and has_data(packet) and count % lost == 0):
                to = other if fd == one else one
                heapq.heappush(late, (time.monotonic() + delay, id(packet), to, packet))
        while late and late[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(late)
            try:
                os.write(to, packet)
            except OSError:
                pass


delay, lost, command = int(sys.argv[1]) / 1000, int(sys.argv[2]), sys.argv[4:]
ip("link", "set", "lo", "up")
near = end("near", "10.77.0.1/24")
nobody = end("nobody", "10.77.1.1/24", IFF_TAP)
ip("neighbour", "add", "10.77.1.9", "lladdr", "02:00:00:00:00:09", "nud", "permanent", "dev", "nobody")
ip("address", "add", "fd77:1::1/64", "dev", "nobody", "nodad")
ip("neighbour", "add", "fd77:1::9", "lladdr", "02:00:00:00:00:09", "nud", "permanent", "dev", "nobody")
with tempfile.NamedTemporaryFile("w") as resolver:
    resolver.write(sys.argv[3].replace("/", "\n") + "\n")
    resolver.flush()
    os.chmod(resolver.name, 0o644)
    subprocess.run(["mount", "--bind", resolver.name, os.path.realpath("/etc/resolv.conf")], check=True)
for setting, value in [("tcp_syn_retries", 1), ("tcp_syn_linear_timeouts", 0)]:
    try:
        with open("/proc/sys/net/ipv4/" + setting, "w") as file:
            file.write(str(value))
    except FileNotFoundError:
        pass  # before Linux 6.5
said, says = os.pipe()
if os.fork() == 0:
    die_with_parent()
    if LIBC.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    os.dup2(says, 1)
    far = end("far", "10.77.0.2/24")
    if os.fork() == 0:
        die_with_parent()
        serve()
    relay(near, far, delay, lost)
if os.fork() == 0:
    die_with_parent()
    os.dup2(says, 1)
    name()
os.close(says)
begun = b""
while len(begun) < 12:
    more = os.read(said, 6)
    if not more:
        sys.exit("a server did not begin")
    begun += more
sys.exit(subprocess.run(command).returncode)
