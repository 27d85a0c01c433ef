"""foveaspool against a far side that refuses, resets, is slow, stops and comes back. TAP on stdout; test_uplink.py SENDER FRAMES."""
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'tests'))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tap
from rig import B_FRAMES, FPS, UNTOLD, Receiver, Sender, check_all, decode, live_latency, missing, pictures, source, transport, uplink, wait_for

SENDER, FRAMES = sys.argv[1:3]


def missing_parts():
    return missing(SENDER, 'x264enc', 'mpegtsmux', 'tcpclientsink', 'h264parse', 'tsdemux')


def all_sent(sender):
    """What was kept is with the far side, and it knows that it has it."""
    sender.wait_stat('spooled-gops', lambda count: int(count) > 0)
    wait_for('the backlog', 40, lambda: sender.number('pending') == 0 and sender.number('replayed-gops') == sender.number('spooled-gops'), sender.process)


def test_refused_then_reset(tmp):
    """The network is not there at the start, comes, is lost, comes back: all is received, and the pipeline was never held up."""
    receiver = Receiver(tmp + '/in')
    receiver.tell('close')
    sender = Sender(SENDER, uplink(receiver, tmp + '/sent.ts', f'spool={tmp}/spool live-latency=1000 confirm-after=1000'))
    sender.wait_stat('state', lambda state: state == 'retrying')
    sender.wait_stat('frames', lambda count: int(count) > 2.5 * FPS)
    receiver.tell('open')
    sender.wait_stat('state', lambda state: state == 'connected')
    time.sleep(3)
    receiver.tell('reset')
    time.sleep(2)
    receiver.tell('close')
    time.sleep(3)
    receiver.tell('open')
    all_sent(sender)
    sender.stop()
    receiver.end()
    count, twice = check_all(FRAMES, receiver, tmp + '/sent.ts', 10 * FPS)
    assert sender.number('dropped-gops') == 0 and sender.number('reconnects') >= 2, sender.stats
    states = [message.split('state=(string)')[1].split(',')[0] for message in sender.messages if message.startswith('fovea-link-state')]
    assert states[0] == 'connecting' and states[1] == 'retrying' and 'connected' in states and states[-1] == 'connected', states
    print(f'# {count} pictures, {twice} of them twice, {sender.number("reconnects")} reconnects')


def check_slow(tmp, slow_for, live_latency_ms, go_slow, go_fast, receiver, sender):
    """Quarter of the rate for a while, then full. Returns the figures."""
    time.sleep(3)
    begin = time.time()
    go_slow()
    time.sleep(slow_for)
    end = time.time()
    go_fast()
    time.sleep(4)
    all_sent(sender)
    sender.stop()
    receiver.end()
    count, twice = check_all(FRAMES, receiver, tmp + '/sent.ts', (slow_for + 7) * FPS)
    assert sender.number('dropped-gops') == 0, sender.stats
    latencies = live_latency(receiver, sender.epoch)
    before = [lag for when, lag in latencies if begin - 2 < when < begin]
    during = [lag for when, lag in latencies if begin + 1 < when < end]
    late = [when for when, lag in latencies if when > end and lag > 0.5]
    recovery = max(late) - end if late else 0.0
    after = [lag for when, lag in latencies if when > end + recovery]
    print(f'# {count} pictures, {twice} of them twice; live latency before at most {max(before):.2f} s, while slow {min(during):.2f} to {max(during):.2f} s '
          f'({len(during)} pictures of {slow_for * FPS}), below 0.5 s again after {recovery:.2f} s, then at most {max(after):.2f} s')
    assert max(before) < 0.5, before
    assert during and max(during) < live_latency_ms / 1000 + 4 + 5, max(during)  # the wait, a GOP at a quarter of the rate, and what the kernels hold
    assert recovery < 2, recovery
    assert len(after) > FPS


def test_slow_then_full(tmp):
    """A quarter of the video's rate: live pictures go on, late by a bound; the rest waits on the disk and comes when there is room."""
    receiver = Receiver(tmp + '/in')
    sender = Sender(SENDER, uplink(receiver, tmp + '/sent.ts', f'spool={tmp}/spool live-latency=2000 replay-rate=300000', kbit=800))
    check_slow(tmp, 10, 2000, lambda: receiver.tell('rate 25000'), lambda: receiver.tell('rate 0'), receiver, sender)


test_slow_then_full.alone = True  # measures latencies


def test_stopped_receiver(tmp):
    """Its sockets stay open and take nothing: the child is let go, and what the kernels had taken is sent again."""
    receiver = Receiver(tmp + '/in')
    sender = Sender(SENDER, uplink(receiver, tmp + '/sent.ts', f'spool={tmp}/spool live-latency=1000 stall-timeout=1500 confirm-after=1500'))
    time.sleep(2)
    receiver.process.send_signal(signal.SIGSTOP)
    sender.wait_stat('let-go', lambda count: int(count) >= 1)
    held = sender.number('frames')
    time.sleep(1)
    assert sender.number('frames') > held + FPS / 2, 'the stream is held up'
    receiver.process.send_signal(signal.SIGCONT)
    sender.wait_stat('state', lambda state: state == 'connected')
    time.sleep(2)
    all_sent(sender)
    sender.stop()
    receiver.end()
    check_all(FRAMES, receiver, tmp + '/sent.ts', 6 * FPS)


def test_killed_and_started_again(tmp):
    """kill -9 with the link down: the next process sends what was on the disk, with times that go on."""
    receiver = Receiver(tmp + '/in')
    receiver.tell('close')
    properties = f'spool={tmp}/spool live-latency=500 trigger-delay=100 timestamps=utc'
    first = Sender(SENDER, uplink(receiver, tmp + '/first.ts', properties))
    first.wait_stat('spooled-gops', lambda count: int(count) >= 5)
    kept = first.number('spooled-gops')
    first.kill()
    receiver.tell('open')
    second = Sender(SENDER, uplink(receiver, tmp + '/second.ts', properties, kbit=600))
    second.wait_stat('replayed-gops', lambda count: int(count) >= kept)
    time.sleep(1)
    second.stop()
    receiver.end()
    sent = [sums for _, sums in sorted(pictures(FRAMES, [tmp + '/first.ts'])[0].items())]
    got, orders = pictures(FRAMES, receiver.files())
    received = set().union(*got.values())
    found = sum(1 for sums in sent if sums <= received)
    assert found >= kept * FPS, (found, kept)
    assert all(sums <= received for sums in sent[:kept * FPS])
    times = sorted(got)
    assert times[-1] - times[0] < 60, 'the two do not share one time'  # UTC modulo the 26.5 h of a transport stream
    assert second.number('damaged-gops') <= 1
    print(f'# {kept} GOPs were known to be on the disk, {found} pictures of {len(sent)} came')


IDLE = ' videotestsrc is-live=true num-buffers={frames} ! video/x-raw,framerate=25/1,width=32,height=32 ! fakesink '


def kept_only(tmp, frames, keyint=FPS, trigger=None, **options):
    """A process that only fills the spool; what there was to send."""
    receiver = Receiver(tmp + '/nothing')
    receiver.tell('close')
    sender = Sender(SENDER, uplink(receiver, tmp + '/sent.ts', f'spool={tmp}/spool', frames=frames, live=False, keyint=keyint, **options) + IDLE.format(frames=75))
    if trigger:
        wait_for('the start', 10, lambda: sender.epoch, sender.process)
        sender.tell(trigger)
    sender.process.wait(20)
    sender.finish()
    receiver.end()


def replayed_only(tmp, gops, properties=''):
    """A process that sends what the one before kept; what came, by connection."""
    receiver = Receiver(tmp + '/in')
    one_picture = f'videotestsrc num-buffers=1 ! video/x-raw,width=160,height=120,framerate={FPS}/1 ! x264enc tune=zerolatency ! h264parse ! '
    sender = Sender(SENDER, one_picture + f'foveaspool name=spool spool={tmp}/spool sink="{transport(receiver.live)}" replay-sink="{transport(receiver.replay)}" '
                    f'confirm-after=300 {properties} ' + IDLE.format(frames=1000))
    sender.wait_stat('replayed-gops', lambda count: int(count) >= gops)
    sender.stop()
    receiver.end()
    return receiver.files('replay')


def test_stop_keeps_the_rest(tmp):
    """Stopped with the link down, nothing is lost: all of it is sent by the next one."""
    kept_only(tmp, 4 * FPS)
    sent, got = (pictures(FRAMES, paths)[0] for paths in ([tmp + '/sent.ts'], replayed_only(tmp, 4)))
    assert len(sent) == 4 * FPS and sent == got, (len(sent), len(got))


def test_reordered_frames(tmp):
    """B-frames whose decoding times nobody tells, as out of RTP, come through spool and link whole and in order."""
    kept_only(tmp, 4 * FPS, between=UNTOLD, more=B_FRAMES)
    sent = decode(FRAMES, [tmp + '/sent.ts']).popitem()[1]
    received = decode(FRAMES, replayed_only(tmp, 4))
    assert len(received) == 1 and len(sent) == 4 * FPS
    (got,) = received.values()
    assert [total for _, total, _ in got] == [total for _, total, _ in sent] and all(state == '-' for _, _, state in got), (len(got), len(sent))
    assert all(abs(b - a - 1e9 / FPS) < 2e6 for (a, _, _), (b, _, _) in zip(got, got[1:])), [pts for pts, _, _ in got]


def test_order_and_events(tmp):
    """GOPs with an event come first, the others newest first and sixteen at a time; each connection goes forward in time."""
    kept_only(tmp, 40 * 13, 13, 'trigger 2.3 person')
    sent, _ = pictures(FRAMES, [tmp + '/sent.ts'])
    got, orders = pictures(FRAMES, replayed_only(tmp, 40, 'spool-order=newest-first'))
    assert sent == got, (len(sent), len(got))
    begins = [[round((pts - 3600.01) / 0.52) for pts in order[::13]] for order in orders.values()]
    assert begins == [[4, *range(24, 40)], list(range(8, 24)), [*range(4), *range(5, 8)]], begins


def test_bounded(tmp):
    """A spool that is too small keeps the newest; none at all keeps nothing. Both are counted, and the live link works afterwards."""
    for name, properties in (('small', f'spool={tmp}/spool spool-bytes=400000'), ('none', '')):
        receiver = Receiver(f'{tmp}/{name}')
        receiver.tell('close')
        sender = Sender(SENDER, uplink(receiver, f'{tmp}/{name}.ts', f'{properties} live-latency=300 trigger-delay=0 confirm-after=300'))
        sender.wait_stat('spool-dropped' if properties else 'dropped-gops', lambda count: int(count) >= 2)
        assert sender.number('spool-bytes') <= 400000, sender.stats
        receiver.tell('open')
        sender.wait_stat('live-gops', lambda count: int(count) >= 2)
        sender.stop()
        receiver.end()
        assert len(pictures(FRAMES, receiver.files())[0]) >= 2 * FPS


def test_full_disk(tmp):
    """The disk is smaller than the bound: the oldest makes room, the stream goes on. With refuse-new what came first stays, and a warning tells."""
    os.mkdir(tmp + '/disk')
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=500k', 'tmpfs', tmp + '/disk'], capture_output=True).returncode != 0:
        return 'no file system may be mounted here'
    try:
        for policy in ('drop-oldest', 'refuse-new'):
            receiver = Receiver(f'{tmp}/{policy}')
            receiver.tell('close')
            sender = Sender(SENDER, uplink(receiver, f'{tmp}/{policy}.ts', f'spool={tmp}/disk/{policy} spool-policy={policy} live-latency=300 trigger-delay=0 confirm-after=300'))
            sender.wait_stat('spool-dropped' if policy == 'drop-oldest' else 'dropped-gops', lambda count: int(count) >= 3)
            frames = sender.number('frames')
            receiver.tell('open')
            sender.wait_stat('replayed-gops', lambda count: int(count) >= 1)
            sender.wait_stat('live-gops', lambda count: int(count) >= 2)
            assert sender.number('frames') > frames
            sender.stop()
            receiver.end()
            assert policy == 'drop-oldest' or any('Video is being lost' in text for text in sender.warnings), sender.warnings
            subprocess.run(['rm', '-rf', f'{tmp}/disk/{policy}'])
    finally:
        subprocess.run(['umount', tmp + '/disk'])
    return None


def test_wrong_text(tmp):
    """Text that is no sink is an error at the start, one sentence, without what may be secret in it."""
    for text, part in (('nosuchelement', 'nosuchelement'), ('', 'no element is named'), ('videotestsrc', 'could not link'), ('tcpclientsink host="rtsp://joe:hunter2@x" nosuch=1', 'nosuch')):
        done = subprocess.run([SENDER, f'{source(frames=5, live=False)} ! h264parse ! foveaspool sink="{text}"'.replace('host="rtsp', 'host=\\"rtsp').replace('@x" ', '@x\\" ')],
                              capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert done.returncode == 1 and part in done.stdout and 'hunter2' not in done.stdout, (text, done.stdout, done.stderr)


if __name__ == '__main__':
    reason = missing_parts()
    if reason:
        print(f'1..0 # SKIP {reason}')
    else:
        tap.run({name: value for name, value in globals().items() if len(sys.argv) < 4 or name in sys.argv[3:]}, at_once=5)
