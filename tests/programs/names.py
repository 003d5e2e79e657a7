# A name server for tests: knows the names it is started with, and says of all others that they do not exist.
#
#     names.py 127.0.0.1 shop.example=192.0.2.7 shop.example=2001:db8::7
import ipaddress
import socket
import struct
import sys

listen, *known = sys.argv[1:]
names = {}
for entry in known:
    name, address = entry.split("=")
    names.setdefault(name, []).append(ipaddress.ip_address(address))

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((listen, 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(4096)
    # RFC 1035 section 4: a head of 12 bytes, then the question: labels with their lengths, type and class.
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
    name = ".".join(labels)
    version = {1: 4, 28: 6}.get(kind)
    found = [it for it in names.get(name, []) if it.version == version]
    records = [b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(it.packed)) + it.packed for it in found]
    flags = 0x8580 if name in names else 0x8583
    head = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
    server.sendto(head + query[12 : at + 5] + b"".join(records), client)
