"""The uplink at a quarter of the video's rate for a minute, then full; and without network for half a minute. With a link of the kernel's (a network namespace, veth, tbf)
where that is permitted, and with a far side that reads slowly. TAP on stdout; test_uplink_long.py SENDER FRAMES."""
import os
import subprocess
import sys
import time

import test_uplink as short
from rig import FPS, Receiver, Sender, check_all, uplink

SENDER, FRAMES = sys.argv[1:3]
SLOW_S = 60
KBIT = 800


def ip(*words):
    return subprocess.run(['ip', *words], capture_output=True, text=True)


class Link:
    """A veth pair into a network namespace, where the receiver lives; its rate and state can be set from this side."""

    def __init__(self):
        self.name = f'fvt{os.getpid() % 100000}'
        self.near, self.far = self.name + 'a', self.name + 'b'
        third = os.getpid() % 250
        self.near_address, self.far_address = f'10.213.{third}.1', f'10.213.{third}.2'
        self.why = None
        steps = (['netns', 'add', self.name], ['link', 'add', self.near, 'type', 'veth', 'peer', 'name', self.far, 'netns', self.name],
                 ['addr', 'add', self.near_address + '/24', 'dev', self.near], ['link', 'set', self.near, 'up'], ['-n', self.name, 'addr', 'add', self.far_address + '/24', 'dev', self.far],
                 ['-n', self.name, 'link', 'set', self.far, 'up'], ['-n', self.name, 'link', 'set', 'lo', 'up'])
        for step in steps:
            done = ip(*step)
            if done.returncode != 0:
                self.why = f'no network namespace here: {done.stderr.strip()}'
                break
        if not self.why and not self.rate(10_000_000):
            self.why = 'no tbf here'

    def rate(self, bytes_per_s):
        command = ['tc', 'qdisc', 'replace', 'dev', self.near, 'root', 'tbf', 'rate', f'{bytes_per_s * 8}bit', 'burst', '8k', 'latency', '400ms']
        return subprocess.run(command, capture_output=True).returncode == 0

    def set(self, state):
        ip('link', 'set', self.near, state)

    def end(self):
        ip('link', 'del', self.near)
        ip('netns', 'del', self.name)


def test_slow_receiver(tmp):
    receiver = Receiver(tmp + '/in')
    sender = Sender(SENDER, uplink(receiver, tmp + '/sent.ts', f'spool={tmp}/spool live-latency=2000 replay-rate=300000', kbit=KBIT))
    short.check_slow(tmp, SLOW_S, 2000, lambda: receiver.tell('rate 25000'), lambda: receiver.tell('rate 0'), receiver, sender)


def test_slow_link(tmp):
    link = Link()
    try:
        if link.why:
            return link.why
        receiver = Receiver(tmp + '/in', link.far_address, link.name)
        sender = Sender(SENDER, uplink(receiver, tmp + '/sent.ts', f'spool={tmp}/spool live-latency=2000 replay-rate=300000', kbit=KBIT))
        short.check_slow(tmp, SLOW_S, 2000, lambda: link.rate(25_000), lambda: link.rate(10_000_000), receiver, sender)
    finally:
        link.end()
    return None


def test_link_down(tmp):
    """Half a minute without a carrier, in which nobody is told that the connection is gone."""
    link = Link()
    try:
        if link.why:
            return link.why
        receiver = Receiver(tmp + '/in', link.far_address, link.name)
        sender = Sender(SENDER, uplink(receiver, tmp + '/sent.ts', f'spool={tmp}/spool live-latency=2000 stall-timeout=5000', kbit=KBIT))
        time.sleep(5)
        link.set('down')
        time.sleep(30)
        link.set('up')
        up = time.time()
        sender.wait_stat('state', lambda state: state == 'connected', 30)
        connected = time.time() - up
        short.all_sent(sender)
        sender.stop()
        receiver.end()
        count, twice = check_all(FRAMES, receiver, tmp + '/sent.ts', 33 * FPS)
        print(f'# {count} pictures, {twice} of them twice; connected {connected:.2f} s after the link was up, let go {sender.number("let-go")} times')
        assert connected < 5, connected
    finally:
        link.end()
    return None


if __name__ == '__main__':
    reason = short.missing_parts()
    if reason:
        print(f'1..0 # SKIP {reason}')
    else:
        short.tap.run({name: value for name, value in globals().items() if len(sys.argv) < 4 or name in sys.argv[3:]})
