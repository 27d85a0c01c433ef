#!/usr/bin/env python3
"""A bad network between a client and a server: TCP and UDP with delay, jitter, loss, a limited rate, cuts, half-open connections and refusal.

Command line (prints "port N" once it listens; each line on its standard input is a command, answered with "ok"):

    impair.py --to 127.0.0.1:554 [--listen 0] [--udp | --rtsp] [--delay MS] [--jitter MS] [--loss 0..1] [--rate BYTES/S] [--seed N]

    delay MS | jitter MS | loss P | rate N    from now on
    cut         connections end, as by a reset; new ones work
    half-open   nothing gets through any more, and nobody is told; new connections are accepted, into silence
    refuse      cut, and nobody listens any more
    pass        the end of half-open and refuse (connections made meanwhile go on with what comes from now on)

In Python:

    with impair.Proxy(('127.0.0.1', port), delay=0.4, loss=0.3) as proxy:
        client(proxy.port); proxy.cut()

Lost datagrams are lost. TCP cannot lose bytes: there, what would have been lost comes a retransmission later, and all behind it as well. With --rtsp the port numbers in SETUP and its answer
are replaced, so that the media's UDP comes through here as well.
"""
import argparse
import asyncio
import random
import re
import socket
import struct
import sys
import threading

RETRANSMIT = 0.2  # seconds, the kernel's shortest
QUEUED = 1 << 20  # bytes on their way; beyond, the sender has to wait
LISTEN = '127.0.0.1'


class Conditions:
    """What happens to what passes; read at each piece, so changes take effect at once."""

    def __init__(self, delay=0.0, jitter=0.0, loss=0.0, rate=0, seed=1):
        self.delay, self.jitter, self.loss, self.rate = delay, jitter, loss, rate
        self.open = True
        self.random = random.Random(seed)

    def lag(self):
        return max(0.0, self.delay + self.random.uniform(-self.jitter, self.jitter))

    def lost(self):
        return self.random.random() < self.loss


class Line:
    """One direction: what is put in comes out in order, after its time."""

    def __init__(self, conditions, deliver):
        self.conditions, self.deliver = conditions, deliver
        self.queue, self.queued, self.due = asyncio.Queue(), 0, 0.0
        self.room = asyncio.Event()
        self.room.set()

    async def put(self, data):
        now, conditions = asyncio.get_running_loop().time(), self.conditions
        due = now + conditions.lag() + (RETRANSMIT if conditions.lost() else 0.0)
        self.due = max(self.due, due) + (len(data) / conditions.rate if conditions.rate else 0.0)
        self.queue.put_nowait((self.due, data))
        self.queued += len(data)
        if self.queued > QUEUED:
            self.room.clear()
        await self.room.wait()

    async def run(self):
        while True:
            due, data = await self.queue.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            while not self.conditions.open:
                await asyncio.sleep(0.02)
            await self.deliver(data)
            self.queued -= len(data)
            if self.queued <= QUEUED:
                self.room.set()


class Datagrams(asyncio.DatagramProtocol):
    """A UDP socket whose datagrams go to `forward(data, sender)` as the conditions say; out of order where jitter makes them so."""

    def __init__(self, conditions, forward):
        self.conditions, self.forward, self.free_at = conditions, forward, 0.0

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info('sockname')[1]

    def datagram_received(self, data, sender):
        loop, conditions = asyncio.get_running_loop(), self.conditions
        if not conditions.open or conditions.lost():
            return
        if conditions.rate:
            self.free_at = max(self.free_at, loop.time()) + len(data) / conditions.rate
        loop.call_at(max(loop.time(), self.free_at) + conditions.lag(), self.forward, data, sender)

    def send(self, data, to):
        if not self.transport.is_closing():
            self.transport.sendto(data, to)


async def udp_socket(conditions, forward, port=0):
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Datagrams(conditions, forward), local_addr=(LISTEN, port))
    return protocol


async def udp_pair(conditions, forwards):
    """Two neighbouring ports, as RTP and RTCP have them."""
    while True:
        first = await udp_socket(conditions, forwards[0])
        try:
            return first, await udp_socket(conditions, forwards[1], first.port + 1)
        except OSError:
            first.transport.close()


class Media:
    """The datagrams of one SETUP: client <-> near pair here, far pair <-> server."""

    async def open(self, conditions, client_ports):
        self.client_ports, self.server_ports = client_ports, (0, 0)
        self.near = await udp_pair(conditions, [lambda data, _, i=i: self.to_server(i, data) for i in (0, 1)])
        self.far = await udp_pair(conditions, [lambda data, _, i=i: self.to_client(i, data) for i in (0, 1)])
        return self

    def to_client(self, i, data):
        self.near[i].send(data, (LISTEN, self.client_ports[i]))

    def to_server(self, i, data):
        if self.server_ports[i]:
            self.far[i].send(data, (LISTEN, self.server_ports[i]))

    def close(self):
        for protocol in (*self.near, *self.far):
            protocol.transport.close()


class Rtsp:
    """Splits both directions into messages and replaces the ports in them."""

    def __init__(self, conditions):
        self.conditions, self.media, self.asked = conditions, [], []

    @staticmethod
    def split(buffer):
        """(message, rest), or (b'', buffer) while it is not whole."""
        if buffer[:1] == b'$':
            size = 4 + struct.unpack('>H', buffer[2:4])[0] if len(buffer) >= 4 else 1 << 30
        else:
            head = buffer.find(b'\r\n\r\n')
            length = re.search(rb'(?im)^content-length:\s*(\d+)', buffer[:head]) if head >= 0 else None
            size = head + 4 + (int(length[1]) if length else 0) if head >= 0 else 1 << 30
        return (buffer[:size], buffer[size:]) if size <= len(buffer) else (b'', buffer)

    async def request(self, message):
        ports = re.search(rb'client_port=(\d+)-(\d+)', message) if message.startswith(b'SETUP') else None
        if ports:
            media = await Media().open(self.conditions, (int(ports[1]), int(ports[2])))
            self.media.append(media)
            self.asked.append(media)
            message = message.replace(ports[0], b'client_port=%d-%d' % (media.far[0].port, media.far[1].port))
        return message

    async def answer(self, message):
        ports = re.search(rb'server_port=(\d+)-(\d+)', message) if message.startswith(b'RTSP/') else None
        if ports and self.asked:
            media = self.asked.pop(0)
            media.server_ports = int(ports[1]), int(ports[2])
            message = message.replace(ports[0], b'server_port=%d-%d' % (media.near[0].port, media.near[1].port))
            message = re.sub(rb'client_port=\d+-\d+', b'client_port=%d-%d' % media.client_ports, message)
        return message

    def close(self):
        for media in self.media:
            media.close()


class Proxy:
    def __init__(self, to, listen=0, udp=False, rtsp=False, **conditions):
        self.to, self.port, self.udp, self.rtsp = to, listen, udp, rtsp
        self.conditions = Conditions(**conditions)
        self.server, self.connections, self.peers = None, set(), {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    # --- TCP

    async def pump(self, reader, line, rewrite):
        buffer = b''
        while data := await reader.read(16384):
            buffer += data
            while buffer:
                message, buffer = Rtsp.split(buffer) if rewrite else (buffer, b'')
                if not message:
                    break
                await line.put(await rewrite(message) if rewrite else message)

    async def connected(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        writers, rtsp = [writer], Rtsp(self.conditions) if self.rtsp else None
        helpers = []
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.to)
            writers.append(far_writer)
            lines = []
            for target in (far_writer, writer):
                async def deliver(data, target=target):
                    target.write(data)
                    await target.drain()
                lines.append(Line(self.conditions, deliver))
            pumps = [asyncio.ensure_future(self.pump(reader, lines[0], rtsp and rtsp.request)), asyncio.ensure_future(self.pump(far_reader, lines[1], rtsp and rtsp.answer))]
            helpers = [*pumps, *(asyncio.ensure_future(line.run()) for line in lines)]
            await asyncio.wait(helpers, return_when=asyncio.FIRST_COMPLETED)
            while self.conditions.open is False:  # an end is news, too
                await asyncio.sleep(0.02)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for helper in helpers:
                helper.cancel()
            for one in writers:
                one.transport.abort()
            if rtsp:
                rtsp.close()
            self.connections.discard(task)

    async def listen(self):
        if self.udp:
            self.near = await udp_socket(self.conditions, self.from_client, self.port)
            self.port = self.near.port
        else:
            self.server = await asyncio.start_server(self.connected, LISTEN, self.port)
            self.port = self.server.sockets[0].getsockname()[1]

    # --- UDP: one socket towards the server for each client

    def from_client(self, data, client):
        asyncio.ensure_future(self.to_server(data, client))

    async def to_server(self, data, client):
        if client not in self.peers:
            self.peers[client] = await udp_socket(self.conditions, lambda answer, _: self.near.send(answer, client))
        self.peers[client].send(data, self.to)

    # --- for people

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def start(self):
        self.thread.start()
        self.call(self.listen())
        return self

    async def cut_now(self):
        for task in list(self.connections):
            task.cancel()

    async def refuse_now(self):
        if self.server:
            self.server.close()
            self.server = None
        await self.cut_now()

    async def pass_now(self):
        self.conditions.open = True
        if not self.udp and not self.server:
            await self.listen()

    def cut(self):
        self.call(self.cut_now())

    def refuse(self):
        self.call(self.refuse_now())

    def half_open(self):
        self.conditions.open = False

    def let_pass(self):
        self.call(self.pass_now())

    def stop(self):
        self.call(self.refuse_now())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    __enter__ = start

    def __exit__(self, *_):
        self.stop()


def obey(proxy, words):
    commands = {'cut': proxy.cut, 'half-open': proxy.half_open, 'refuse': proxy.refuse, 'pass': proxy.let_pass}
    numbers = {'delay': 0.001, 'jitter': 0.001, 'loss': 1.0, 'rate': 1.0}
    if len(words) == 1 and words[0] in commands:
        commands[words[0]]()
    elif len(words) == 2 and words[0] in numbers:
        setattr(proxy.conditions, words[0], float(words[1]) * numbers[words[0]])
    else:
        return 'what?'
    return 'ok'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--to', required=True, help='HOST:PORT of the server')
    parser.add_argument('--listen', type=int, default=0, help='port; 0: any')
    parser.add_argument('--udp', action='store_true')
    parser.add_argument('--rtsp', action='store_true')
    for name in ('delay', 'jitter', 'loss', 'rate'):
        parser.add_argument('--' + name, type=float, default=0)
    parser.add_argument('--seed', type=int, default=1)
    given = parser.parse_args()
    host, port = given.to.rsplit(':', 1)
    proxy = Proxy((socket.gethostbyname(host), int(port)), given.listen, given.udp, given.rtsp, delay=given.delay / 1000, jitter=given.jitter / 1000, loss=given.loss,
                  rate=given.rate, seed=given.seed).start()
    print('port', proxy.port, flush=True)
    for line in sys.stdin:
        if line.strip():
            print(obey(proxy, line.split()), flush=True)
    if sys.stdin.isatty() is False:
        proxy.thread.join()  # no more commands; until it is killed


if __name__ == '__main__':
    main()
