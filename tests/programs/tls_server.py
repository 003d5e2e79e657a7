# A web server that speaks TLS: /bytes/N answers with N bytes of a pattern, a POST with the SHA-256 of what came. It says its port.
import hashlib
import http.server
import os
import ssl

PATTERN = b"".join(hashlib.sha256(b"%d" % at).digest() for at in range(2048))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        size = int(self.path.rsplit("/", 1)[1])
        self.answer((PATTERN * (size // len(PATTERN) + 1))[:size])

    def do_POST(self):
        rest = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while rest:
            piece = self.rfile.read(min(rest, 1 << 16))
            digest.update(piece)
            rest -= len(piece)
        self.answer(digest.hexdigest().encode())


here = os.path.dirname(os.path.abspath(__file__))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(here, "certificate.pem"), os.path.join(here, "key.pem"))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listens at port %d ." % server.server_port, flush=True)
server.serve_forever()
