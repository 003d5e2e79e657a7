# A mail server for tests, at port 25 of an address: it believes every password and takes every mail.
import socketserver
import sys


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 mail.example ESMTP")
        for line in self.rfile:
            verb = line.split()[0].upper()
            if verb == b"EHLO":
                self.say("250-mail.example", "250 AUTH PLAIN LOGIN")
            elif verb == b"AUTH" and line.upper().endswith(b"LOGIN\r\n"):
                self.ask("334 VXNlcm5hbWU6")
                self.ask("334 UGFzc3dvcmQ6")
                self.say("235 2.7.0 welcome")
            elif verb == b"AUTH":
                self.say("235 2.7.0 welcome")
            elif verb == b"DATA":
                self.say("354 go ahead")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.say("250 2.0.0 taken")
            elif verb == b"QUIT":
                self.say("221 2.0.0 bye")
                return
            elif verb == b"RCPT" and b"<nobody@" in line:
                self.say("550 5.1.1 no such mailbox")
            else:
                self.say("250 2.1.0 fine")

    def say(self, *lines):
        self.wfile.write("".join(line + "\r\n" for line in lines).encode())

    def ask(self, line):
        self.say(line)
        self.rfile.readline()


with socketserver.ThreadingTCPServer((sys.argv[1], 25), Mail) as server:
    print("ready", flush=True)
    server.serve_forever()
