# Two sockets that are joined hand over what is hard to write down: every byte, what is no UTF-8, half a surrogate, what commands a
# terminal; and if asked for, a long body. Prints how long it all was, and its hash.
import hashlib
import socket
import sys
import threading

PIECES = [
    bytes(range(256)),
    b"plain text",
    "각 é 😀\u202e".encode(),
    b"\xff\xfe\x80 no UTF-8 \xc3",
    b"\xed\xa0\x80 half a surrogate \xed\xbf\xbf",
    b'{"a": "\\ud800", "b": "\\""}\r\n\x00',
    b"\x1b]0;title\x07\x1b[2J\x9b31m\x7f",
    b"",
]
if len(sys.argv) > 1:
    block = bytes(range(251)) * 4096
    PIECES.append((block * (int(sys.argv[1]) // len(block) + 1))[: int(sys.argv[1])])

one, other = socket.socketpair()


def take():
    while other.recv(1 << 20):
        pass


taker = threading.Thread(target=take)
taker.start()
digest, length = hashlib.sha256(), 0
for piece in PIECES:
    one.sendall(piece)
    digest.update(piece)
    length += len(piece)
one.shutdown(socket.SHUT_WR)
taker.join()
print(length, digest.hexdigest())
