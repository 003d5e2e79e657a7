# A network of its own for a command: 10.77.0.1 is the command's end, 10.77.0.2 a peer behind a link that is slow and loses packets. At
# the peer's port 80 whoever asks gets an answer of as many bytes as it asks for; 10.77.1.9 has a neighbour entry and is nobody.
# Arguments: the delay of each packet in ms, which of the packets with data is lost (the n-th each time, 0 for none), the command.
import ctypes, fcntl, heapq, os, select, socket, struct, subprocess, sys, time

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


delay, lost, command = int(sys.argv[1]) / 1000, int(sys.argv[2]), sys.argv[3:]
ip("link", "set", "lo", "up")
near = end("near", "10.77.0.1/24")
nobody = end("nobody", "10.77.1.1/24", IFF_TAP)
ip("neighbour", "add", "10.77.1.9", "lladdr", "02:00:00:00:00:09", "nud", "permanent", "dev", "nobody")
for name, value in [("tcp_syn_retries", 1), ("tcp_syn_linear_timeouts", 0)]:
    try:
        with open("/proc/sys/net/ipv4/" + name, "w") as file:
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
os.close(says)
if os.read(said, 6) != b"ready\n":
    sys.exit("the peer did not begin")
sys.exit(subprocess.run(command).returncode)
