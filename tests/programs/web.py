# A web server and its clients in one process, to be traced: threads (http.server, http.client) or asyncio (streams), by argument 1.
import asyncio, http.client, http.server, sys, threading

CLIENTS, REQUESTS = 4, 30


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(2 * len(body)))
        self.end_headers()
        self.wfile.write(body + body)

    def date_time_string(self, timestamp=None):
        return "now"

    def log_message(self, *arguments):
        pass


def threads():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing it waits for them
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    answers = [0] * CLIENTS

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        for i in range(REQUESTS):
            connection.request("POST", f"/{number}/{i:03}", f"from client {number}, request {i:03}, " * 20)
            answers[number] += len(connection.getresponse().read())
        connection.close()

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    server.shutdown()
    serving.join()
    server.server_close()
    print(answers)


async def streams():
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def client(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        total = 0
        for i in range(REQUESTS):
            writer.write(f"line {i} of {number}\n".encode())
            total += len(await reader.readline())
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        return total

    print(await asyncio.gather(*map(client, range(CLIENTS))))
    server.close()
    await server.wait_closed()


if sys.argv[1] == "threads":
    threads()
else:
    asyncio.run(streams())
