"""What the tests of encoded video share: a sender and a receiver as processes, and what was sent and received as frames."""
import pathlib
import re
import signal
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).parent
FPS = 25
B_FRAMES = 'tune=0 bframes=2 b-adapt=false rc-lookahead=5 sync-lookahead=0'  # for source(more=)
UNTOLD = 'identity silent=true name=untold ! '  # behind it, decoding times are as RTP tells them: not at all
AT_ONCE = 'buffer-mode=unbuffered sync=false async=false'


def wait_for(what, limit, condition, *check):
    """condition() until it is true; its value."""
    until = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        for process in check:
            assert process.poll() is None, f'{what}: the process ended with {process.returncode}'
        assert time.monotonic() < until, f'{what}: not within {limit} s'
        time.sleep(0.02)


class Receiver:
    """receiver.py as a process; in a network namespace if one is named."""

    def __init__(self, directory, address='127.0.0.1', namespace=None):
        self.directory = pathlib.Path(directory)
        prefix = ['ip', 'netns', 'exec', namespace] if namespace else []
        self.process = subprocess.Popen([*prefix, 'python3', str(HERE / 'receiver.py'), str(directory), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = address
        self.live, self.replay = (int(port) for port in self.process.stdout.readline().split())

    def tell(self, command):
        self.process.stdin.write(command + '\n')
        self.process.stdin.flush()

    def files(self, kind='*'):
        """In the order in which they were begun."""
        return sorted(self.directory.glob(f'{kind}-*.ts'), key=lambda path: path.stem[-3:])

    def bytes(self):
        return sum(path.stat().st_size for path in self.files())

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Sender:
    """A pipeline in a process of its own, with what it said."""

    def __init__(self, program, pipeline, namespace=None):
        prefix = ['ip', 'netns', 'exec', namespace] if namespace else []
        self.process = subprocess.Popen([*prefix, program, pipeline], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.epoch, self.stats, self.history, self.messages, self.warnings, self.errors = None, {}, [], [], [], []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            word, _, text = line.rstrip('\n').partition(' ')
            if word == 'epoch':
                self.epoch = float(text)
            elif word == 'stats':
                self.stats = {key: value for key, value in re.findall(r'([a-z0-9-]+)=\([a-z0-9]+\)("(?:[^"\\]|\\.)*"|[^,;]+)', text)}
                self.history.append((time.time(), self.stats))
            elif word == 'message':
                self.messages.append(text)
            elif word == 'warning':
                self.warnings.append(text)
            elif word == 'error':
                self.errors.append(text)

    def number(self, name):
        return int(self.stats.get(name, 0))

    def tell(self, command):
        self.process.stdin.write(command + '\n')
        self.process.stdin.flush()

    def wait_stat(self, name, condition, limit=20):
        return wait_for(f'{name} of {self.stats}', limit, lambda: name in self.stats and condition(self.stats[name]), self.process)

    def stop(self, limit=30):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(limit)
        self.finish()
        assert self.process.returncode == 0 and not self.errors, (self.process.returncode, self.errors)

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.finish()

    def finish(self):
        self.reader.join(10)
        self.process.stdin.close()
        self.process.stdout.close()


def missing(program, *elements):
    """What the tests cannot do without and is not here; None: nothing."""
    done = subprocess.run([program, '--missing', *elements], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ', '.join(f'no {name} here' for name in done.stdout.split()) or None


def source(frames=-1, live=True, kbit=800, keyint=25, more=''):
    """Noise, so that the encoder needs all the bits it is given."""
    return (f'videotestsrc is-live={str(live).lower()} num-buffers={frames} pattern=snow ! video/x-raw,format=I420,width=160,height=120,framerate={FPS}/1 '
            f'! x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate={kbit} vbv-buf-capacity=300 key-int-max={keyint} {more} ! video/x-h264,profile=high')


def transport(port, host='127.0.0.1'):
    return f'mpegtsmux alignment=7 ! tcpclientsink host={host} port={port}'


def uplink(receiver, reference, properties, between='', **options):
    """source → foveaspool, and all of it to a file that tells what there was to send."""
    live, replay = (transport(port, receiver.address) for port in (receiver.live, receiver.replay))
    return (f'{source(**options)} ! h264parse ! {between}tee name=t t. ! queue ! foveaspool name=spool sink="{live}" replay-sink="{replay}" retry-min=200 retry-max=1000 {properties} '
            f't. ! queue ! h264parse config-interval=-1 ! mpegtsmux ! filesink location={reference} {AT_ONCE}')


def decode(program, paths):
    """{file: [(pts in ns, sum of the picture, 'c' or '-')]}; fails where a file cannot be decoded to its end."""
    frames = {str(path): [] for path in paths}
    paths = [str(path) for path in paths if pathlib.Path(path).stat().st_size > 0]
    done = subprocess.run([program, *paths], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        file, word, *rest = line.split(' ')
        if word == 'error':
            raise AssertionError(line)
        if word != 'end':
            frames[file].append((int(word), *rest))
    return frames


def stamps(path):
    """[(offset, pts in s)] of the pictures in a transport stream, read from its packets."""
    found, data = [], pathlib.Path(path).read_bytes()
    for at in range(0, len(data) - 187, 188):
        packet = data[at:at + 188]
        pid = (packet[1] & 0x1f) << 8 | packet[2]
        if packet[0] != 0x47 or not packet[1] & 0x40 or pid < 0x20 or pid == 0x1fff:
            continue
        start = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        pes = packet[start:]
        if len(pes) >= 14 and pes[:3] == b'\0\0\1' and 0xe0 <= pes[3] <= 0xef and pes[7] & 0x80:
            p = pes[9:14]
            found.append((at, ((p[0] >> 1 & 7) << 30 | p[1] << 22 | p[2] >> 1 << 15 | p[3] << 7 | p[4] >> 1) / 90000))
    return found


def arrivals(path):
    """[(pts in s, Unix time at which the picture began to arrive)]."""
    times = [(int(offset), float(when)) for offset, when in (line.split() for line in path.with_suffix('.times').read_text().splitlines())]
    out, i = [], 0
    for offset, pts in stamps(path):
        while i + 1 < len(times) and times[i + 1][0] <= offset:
            i += 1
        out.append((pts, times[i][1]))
    return out


def pictures(program, paths):
    """{pts in s: sums of the pictures that came with it}, of all files together; those that a cut connection left incomplete may be among them. Besides, every file's pts in order."""
    merged, orders = {}, {}
    for path, frames in decode(program, paths).items():
        order = [round(pts, 3) for _, pts in stamps(path)]
        assert len(order) - 1 <= len(frames) <= len(order), f'{path}: {len(order)} pictures, {len(frames)} decoded'
        for pts, (_, total, _) in zip(order, frames):
            merged.setdefault(pts, set()).add(total)
        orders[path] = order
    return merged, orders


def check_all(program, receiver, reference, least):
    """Every picture that there was to send has been received as it was, and they follow each other without a hole; how many there were, and how many came twice."""
    sent, _ = pictures(program, [reference])
    got, orders = pictures(program, receiver.files())
    assert len(sent) >= least, f'{len(sent)} pictures sent'
    missing = [pts for pts, totals in sent.items() if not totals <= got.get(pts, set())]
    assert not missing, f'{len(missing)} of {len(sent)} not received: {sorted(missing)[:5]}… of {min(sent)} to {max(sent)}'
    assert set(got) == set(sent), sorted(set(got) - set(sent))[:5]
    times = sorted(got)
    assert all(abs(b - a - 1 / FPS) < 0.002 for a, b in zip(times, times[1:]))
    for path, order in orders.items():
        assert order == sorted(order), f'{path} goes back in time'
    return len(sent), sum(len(order) for order in orders.values()) - len(sent)


def live_latency(receiver, epoch):
    """[(Unix time of arrival, s from being taken to arriving)] of the live link's pictures."""
    ZERO = 3600  # mpegtsmux begins there
    return sorted((when, when - epoch - (pts - ZERO)) for path in receiver.files('live') for pts, when in arrivals(path))
