"""What the tests of foveapublish share: pipelines, a broker, a reader of its topics, a proxy that can go dead."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
MQTT_WINDOW = 64  # messages that may be on their way, plugins/publish/transport_mqtt.c
ID = re.compile(r'"id":"([0-9a-f]{16})-(\d+)"')


def missing(*programs):
    """Why a test that needs these programs cannot run, or None."""
    lacking = [p for p in programs if not shutil.which(p, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')]
    return 'not installed: ' + ', '.join(lacking) if lacking else None


def program(name):
    if name == 'gst-launch-1.0' and os.environ.get('FOVEA_SANITIZED'):
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), 'launch-sanitized')
    return shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(condition, seconds, what):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError('waited %g s in vain for %s' % (seconds, what))
        time.sleep(0.02)


class Process:
    """A child with its output in a file; gone when the block ends."""

    def __init__(self, args, log, env=None):
        self.log = log
        self.child = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=open(log, 'ab'), stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)

    def text(self):
        with open(self.log, errors='replace') as f:
            return f.read()

    def said(self):
        """The text without the escapes that GStreamer prints strings with."""
        return self.text().replace('\\', '')

    def end(self, number, seconds=30):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.send_signal(number)
        return self.child.wait(seconds)


class Broker(Process):
    """mosquitto that remembers sessions over a restart; extra: lines of its configuration."""

    def __init__(self, tmp, port, extra=('allow_anonymous true',), name='broker'):
        self.port = port
        conf = os.path.join(tmp, name + '.conf')
        with open(conf, 'w') as f:
            f.write('listener %d 127.0.0.1\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nuser root\n%s\n' % (port, tmp, '\n'.join(extra)))
        super().__init__([program('mosquitto'), '-c', conf, '-v'], os.path.join(tmp, name + '.log'))
        wait_for(self.listens, 10, 'the broker')

    def listens(self):
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex(('127.0.0.1', self.port)) == 0


class Reader(Process):
    """Everything that is published below a topic, by QoS 1 and over restarts of the broker. Made while the broker runs."""

    def __init__(self, tmp, port, topic='fovea/#', name='reader', more=()):
        super().__init__([program('mosquitto_sub'), '-p', str(port), '-h', '127.0.0.1', '-t', topic, '-q', '1', '-c', '-i', name, '-F', '%t %p', *more],
                         os.path.join(tmp, name + '.log'))
        time.sleep(0.5)  # there is no word from it when it has subscribed

    def lines(self):
        return [line for line in self.text().split('\n')[:-1] if '"schema"' in line]


def ids(lines):
    """(run, number) of each message, as they came."""
    return [(run, int(number)) for line in lines for run, number in ID.findall(line)[:1]]


def check_complete(found, window, expected=None):
    """Nothing is missing, nothing comes out of order but by repetition, and not more is repeated than one window for each interruption. The number of repetitions."""
    highest, seen, repeated = {}, set(), 0
    for run, number in found:
        if (run, number) in seen:
            repeated += 1
            continue
        assert number == highest.get(run, 0) + 1, 'after %d of run %s came %d' % (highest.get(run, 0), run, number)
        highest[run] = number
        seen.add((run, number))
    if expected is not None:
        assert sum(highest.values()) == expected, '%d messages came, not %d' % (sum(highest.values()), expected)
    assert repeated <= window, '%d messages came twice' % repeated
    return repeated


def pipeline(tmp, properties, count=None, rate=100, name='pipeline', env=None, live=True):
    """A pipeline that publishes a message a frame, rate of them a second."""
    source = ['videotestsrc', 'is-live=%s' % ('true' if live else 'false')] + (['num-buffers=%d' % count] if count else [])
    caps = 'video/x-raw,width=16,height=16,framerate=%d/1' % rate
    args = [program('gst-launch-1.0'), '-m', '-e', *source, '!', caps, '!', 'foveapublish', 'name=publisher', 'source=gate', *properties, '!', 'fakesink']
    return Process(args, os.path.join(tmp, name + '.log'), env)


def states(text):
    return re.findall(r'fovea-link-state, state=\(string\)(\w+)', text)


@contextlib.contextmanager
def mqtt(tmp, extra=('allow_anonymous true',)):
    port = free_port()
    with Broker(tmp, port, extra) as broker, Reader(tmp, port) as reader:
        yield broker, reader


class Proxy:
    """Forwards TCP connections to a port; freeze() leaves those that are open half-open: nothing passes, nobody is told."""

    def __init__(self, target):
        self.target = target
        self.server = socket.create_server(('127.0.0.1', 0))
        self.port = self.server.getsockname()[1]
        self.frozen = threading.Event()
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.create_connection(('127.0.0.1', self.target))
            self.connections += 1
            dead = threading.Event()
            self.dead = dead
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b, dead), daemon=True).start()

    @staticmethod
    def pump(a, b, dead):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                if dead.is_set():
                    threading.Event().wait()  # what came is gone, and no more is read
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)

    def freeze(self):
        self.dead.set()
