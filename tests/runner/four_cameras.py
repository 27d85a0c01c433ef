"""Four cameras for minutes: one dies and the other three keep their frame rate within 2 %; memory after ten minutes is within 5 % of that after one. TAP on stdout.

Usage: four_cameras.py FOVEA RTSP-SERVER [SECONDS]     SECONDS: how long memory is watched, 600 when not given
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

FOVEA, SERVER = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 600
MODEL = os.environ.get('FOVEA_SHARED_DIR', '') + '/models/onnx/version-RFB-320.onnx'
RATE = 15          # frames a second of each camera
COUNT_SECONDS = 20 # over which a rate is taken


class Server:
    def __init__(self, port=0):
        self.process = subprocess.Popen([SERVER, '--port', str(port), '--width', '160', '--height', '120', '--rate', str(RATE)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def kill(self):
        self.process.kill()
        self.process.wait()


class Run:
    """fovea run, asked by SIGUSR1."""

    def __init__(self, path, log):
        self.log = open(log, 'w+')
        self.process = subprocess.Popen([FOVEA, 'run', path], stderr=self.log)
        while 'd: starting' not in self.text():  # before that, signals are not ours yet
            assert self.process.poll() is None, self.text()
            time.sleep(0.05)

    def text(self, start=0):
        with open(self.log.name) as file:
            file.seek(start)
            return file.read()

    def ask(self):
        """Camera -> (state, frames, seconds since some moment)."""
        start = os.fstat(self.log.fileno()).st_size
        self.process.send_signal(signal.SIGUSR1)
        for _ in range(500):
            time.sleep(0.01)
            now = time.monotonic()
            found = re.findall(r'^(\w+): status: (\w+), (\d+) frames', self.text(start), re.M)
            if len(found) == 4:
                return {name: (state, int(frames), now) for name, state, frames in found}
        raise AssertionError('no answer to SIGUSR1')

    def wait_for(self, camera, state):
        for _ in range(600):
            if self.ask()[camera][0] == state:
                return
            time.sleep(0.1)
        raise AssertionError('%s is not %s' % (camera, state))

    def rates(self):
        before = self.ask()
        time.sleep(COUNT_SECONDS)
        after = self.ask()
        return {name: (after[name][1] - before[name][1]) / (after[name][2] - before[name][2]) for name in before}

    def resident_kb(self):
        with open('/proc/%d/status' % self.process.pid) as file:
            return int(re.search(r'VmRSS:\s+(\d+) kB', file.read()).group(1))


def write_config(folder, servers):
    detect = ', detect: {model: m, fps: 2}' if os.path.exists(MODEL) else ''
    lines = ['version: 1'] + (['models: {m: {path: "%s", device: cpu, threads: 1}}' % MODEL] if detect else []) + ['cameras:']
    lines += ['  %s: {uri: "rtsp://127.0.0.1:%d/camera", transport: tcp%s}' % (name, server.port, detect) for name, server in zip('abcd', servers)]
    lines += ['outputs: {file: {path: "%s/{camera}.jsonl", rotate: {bytes: 1MiB, keep: 1}}}' % folder] if detect else []
    path = folder + '/four.yaml'
    with open(path, 'w') as file:
        file.write('\n'.join(lines) + '\n')
    return path


def judge(number, ok, text):
    print('%s %d - %s' % ('ok' if ok else 'not ok', number, text), flush=True)


def measure(folder, results):
    shared, other = Server(), Server()
    run = Run(write_config(folder, [shared, shared, shared, other]), folder + '/log')
    begun = time.monotonic()
    try:
        for camera in 'abcd':
            run.wait_for(camera, 'running')
        alive = run.rates()
        other.kill()
        run.wait_for('d', 'retrying')
        dead = run.rates()
        results['rates'] = {name: (round(alive[name], 3), round(dead[name], 3)) for name in 'abcd'}
        other = Server(other.port)
        run.wait_for('d', 'running')
        time.sleep(max(0, 60 - (time.monotonic() - begun)))
        first = run.resident_kb()
        time.sleep(max(0, SECONDS - (time.monotonic() - begun)))
        results['memory'] = (first, run.resident_kb(), round(time.monotonic() - begun))
        run.process.send_signal(signal.SIGTERM)
        results['exit'] = run.process.wait(60)
    finally:
        for process in (run.process, shared.process, other.process):
            if process.poll() is None:
                process.kill()
                process.wait()


def main():
    print('1..3')
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        measure(folder, results)
    print('# ' + json.dumps(results))
    change = max(abs(results['rates'][name][1] / results['rates'][name][0] - 1) for name in 'abc')
    judge(1, change <= 0.02, 'one dead of four changes the rate of the others by %.2f %%' % (change * 100))
    first, last, seconds = results['memory']
    judge(2, abs(last / first - 1) <= 0.05, 'memory after %d s is %.2f %% of that after 60 s (%d of %d kB)' % (seconds, last / first * 100, last, first))
    judge(3, results['exit'] == 0, 'SIGTERM ends it')


main()
