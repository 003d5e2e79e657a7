# A TLS client that moves the records itself (asyncio): it prints how many bytes came, and their SHA-256.
import asyncio
import hashlib
import ssl
import sys


async def main(port, size):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET /bytes/%d HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n" % size)
    await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(size)
    writer.close()
    print(len(body), hashlib.sha256(body).hexdigest())


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
