#!/usr/bin/env python3
"""The far side of an uplink: receiver.py DIRECTORY ADDRESS.

Listens on two TCP ports that it prints, and writes what each connection brings to DIRECTORY/live-NNN.ts or replay-NNN.ts, with the time of arrival of each piece in a file
.times beside it ("OFFSET SECONDS", of the piece's first byte). Commands on standard input: "rate N" (bytes/s of all connections together; 0: no limit), "reset" (ends connections with RST),
"close" (refuses new ones and resets what is there), "open", "stall", "go".
"""
import os
import pathlib
import select
import socket
import struct
import sys
import time

CHUNK = 4096


class Receiver:
    def __init__(self, directory, address):
        self.directory, self.address, self.ports = pathlib.Path(directory), address, {"live": 0, "replay": 0}
        self.listeners, self.connections, self.count = {}, {}, 0
        self.rate, self.tokens, self.filled = 0, 0.0, time.monotonic()
        self.stalled = False
        self.open()

    def open(self):
        for name in self.ports if not self.listeners else ():
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)  # what this side holds but has not read is not seen by the sender
            listener.bind((self.address, self.ports[name]))
            self.ports[name] = listener.getsockname()[1]
            listener.listen(8)
            self.listeners[listener] = name

    def reset(self):
        for connection in list(self.connections):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.end(connection)

    def end(self, connection):
        for file in self.connections.pop(connection):
            file.close()
        connection.close()

    def close(self):
        for listener in self.listeners:
            listener.close()
        self.listeners = {}
        self.reset()

    def accept(self, listener):
        connection, _ = listener.accept()
        name = self.directory / f"{self.listeners[listener]}-{self.count:03d}"
        self.connections[connection] = (open(f"{name}.ts", "wb", buffering=0), open(f"{name}.times", "w", buffering=1))
        self.count += 1

    def read(self, connection):
        try:
            data = connection.recv(CHUNK)
        except OSError:
            data = b""
        if not data:
            self.end(connection)
            return
        stream, times = self.connections[connection]
        times.write(f"{stream.tell()} {time.time():.6f}\n")
        stream.write(data)
        self.tokens -= len(data)

    def command(self, words):
        if words[0] == "rate":
            self.rate, self.tokens = int(words[1]), 0.0
        elif words[0] in ("stall", "go"):
            self.stalled = words[0] == "stall"
        else:
            getattr(self, words[0])()

    def may_read(self):
        now = time.monotonic()
        self.tokens = min(self.tokens + self.rate * (now - self.filled), self.rate * 0.1)
        self.filled = now
        return not self.stalled and (self.rate == 0 or self.tokens > 0)

    def run(self):
        print(self.ports["live"], self.ports["replay"], flush=True)
        while True:
            sources = [sys.stdin] + list(self.listeners) + (list(self.connections) if self.may_read() else [])
            for ready in select.select(sources, [], [], 0.02)[0]:
                if ready is sys.stdin:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.command(line.split())
                    break  # what was ready may be closed by now
                if ready in self.listeners:
                    self.accept(ready)
                elif ready in self.connections:
                    self.read(ready)


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    Receiver(sys.argv[1], sys.argv[2]).run()
