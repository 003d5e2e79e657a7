# Short and long data in turns, by every call that moves some, so that a recorder copies some of it and has to leave the rest to stops.
import os
import socket

one, other = socket.socketpair()
for way in (one, other):
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        way.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
taken = []
for turn in range(6):
    for size in (10, 31_000, 33_000, 127_000, 129_000, 180_000):
        whole = bytes([65 + (turn + at) % 26 for at in range(97)]) * (size // 97 + 1)
        whole = whole[:size]
        third = size // 3
        parts = [whole[:third], whole[third : 2 * third], whole[2 * third :]]
        room = bytearray(size)
        spaces = [memoryview(room)[:third], memoryview(room)[third:]]
        for send, receive in (
            (lambda: one.send(whole), lambda: other.recv_into(room)),
            (lambda: os.write(one.fileno(), whole), lambda: os.readv(other.fileno(), spaces)),
            (lambda: os.writev(one.fileno(), parts), lambda: other.recvmsg_into(spaces)[0]),
            (lambda: one.sendmsg(parts), lambda: len(os.read(other.fileno(), size))),
        ):
            left = send()
            # A short answer to one who asks for much.
            while left > 0:
                left -= receive()
    # More buffers than a trace shows.
    many = [b"%d," % at for at in range(100)]
    os.writev(one.fileno(), many)
    other.recv(1000)
