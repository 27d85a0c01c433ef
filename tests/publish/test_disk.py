"""foveapublish with a spool on a disk that is small, full, read-only or somebody else's. The disk is a small tmpfs in a mount namespace of ours."""
import os
import re
import signal
import subprocess
import time

from support import Process, check_complete, ids, missing, pipeline, program, wait_for
import tap

LAUNCH = ('%s -m -e videotestsrc is-live=true num-buffers=%d ! video/x-raw,width=16,height=16,framerate=100/1 ! foveapublish name=publisher source=gate file-path=%s '
          'spool=%s %s ! fakesink')


def no_mounts():
    return missing('unshare', 'mount', 'gst-launch-1.0') or (
        'no mounts for us here' if subprocess.run(['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /mnt'], capture_output=True).returncode else None)


def on_a_disk(tmp, size, script):
    """Runs a shell script in which DISK is a tmpfs of that size; its output."""
    disk = os.path.join(tmp, 'disk')
    os.mkdir(disk)
    with Process(['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=%s none %s && %s' % (size, disk, script.replace('DISK', disk))], os.path.join(tmp, 'log')) as p:
        p.child.wait(60)
        return p.said()


def lines(path):
    with open(path) as f:
        return f.read().split('\n')[:-1]


def test_spool_passes_everything_on(tmp):
    if missing('gst-launch-1.0'):
        return missing('gst-launch-1.0')
    out = os.path.join(tmp, 'out.jsonl')
    with pipeline(tmp, ['file-path=' + out, 'spool=' + os.path.join(tmp, 'spool')], 300, rate=300) as p:
        assert p.child.wait(30) == 0, p.text()
    check_complete(ids(lines(out)), 0, 300)


def test_second_process_on_a_spool_is_refused(tmp):
    if missing('gst-launch-1.0'):
        return missing('gst-launch-1.0')
    spool = 'spool=' + os.path.join(tmp, 'spool')
    with pipeline(tmp, ['file-path=' + os.path.join(tmp, 'a'), spool], name='first') as first:
        wait_for(lambda: 'PLAYING' in first.text(), 10, 'the first')
        with pipeline(tmp, ['file-path=' + os.path.join(tmp, 'b'), spool], 10, name='second') as second:
            assert second.child.wait(30) != 0
        assert 'another process writes to this spool, number %d' % first.child.pid in second.said(), second.said()


def test_full_disk_stops_nobody(tmp):
    if no_mounts():
        return no_mounts()
    out = os.path.join(tmp, 'out.jsonl')
    # The disk is full before the pipeline starts, and later, when somebody else has written on it.
    early = 'dd if=/dev/zero of=DISK/fill bs=4k 2>/dev/null; mkdir -p DISK/s 2>/dev/null; ' + LAUNCH % (program('gst-launch-1.0'), 150, out, 'DISK/spool', '')
    late = '(sleep 0.7; dd if=/dev/zero of=DISK/fill bs=4k 2>/dev/null) & ' + LAUNCH % (program('gst-launch-1.0'), 250, out, 'DISK/spool', '')
    for name, script, count in (('early', early, 150), ('late', late, 250)):
        folder = os.path.join(tmp, name)
        os.mkdir(folder)
        said = on_a_disk(folder, '512k', script)
        assert 'Execution ended' in said and 'ERROR' not in said, said
        check_complete(ids(lines(out)), 64, count)
        assert 'fovea-spool-degraded' in said, '%s: no message of the disk\n%s' % (name, said)
        assert len(re.findall("spool's disk does not take", said)) == 1, said


def test_read_only_disk_stops_nobody(tmp):
    if no_mounts():
        return no_mounts()
    out = os.path.join(tmp, 'out.jsonl')
    early = 'mount -o remount,ro DISK; ' + LAUNCH % (program('gst-launch-1.0'), 100, out, 'DISK/spool', '')
    said = on_a_disk(tmp, '1m', early)
    assert 'Execution ended' in said and 'ERROR' not in said, said
    check_complete(ids(lines(out)), 0, 100)
    assert 'fovea-spool-degraded' in said, said


def test_bounds_are_kept_and_losses_counted(tmp):
    if missing('gst-launch-1.0', 'mosquitto'):
        return missing('gst-launch-1.0', 'mosquitto')
    spool = os.path.join(tmp, 'spool')
    properties = ['method=mqtt', 'address=mqtt://127.0.0.1:1', 'spool=' + spool, 'spool-bytes=262144', 'drain-timeout=0', 'retry-min=1000']
    for policy, word in (('drop-oldest', 'dropped'), ('refuse-new', 'refused')):
        with pipeline(tmp, [*properties, 'spool-policy=' + policy], 2000, rate=1000, name=policy) as p:
            assert p.child.wait(60) == 0, p.text()
        size = sum(os.path.getsize(os.path.join(spool, name)) for name in os.listdir(spool) if name.endswith('.seg'))
        assert size <= 262144, size
        told = re.findall(r'fovea-publish-loss, dropped=\(guint64\)(\d+), refused=\(guint64\)(\d+)', p.text())
        assert told and int(told[-1][0 if word == 'dropped' else 1]) > 50, p.text()
        assert 'messages were lost' in p.said(), p.said()


if __name__ == '__main__':
    tap.run(globals())
