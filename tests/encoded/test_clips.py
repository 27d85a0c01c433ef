"""foveaclips: what is in a clip, and what becomes of it when things go wrong. TAP on stdout; test_clips.py SENDER FRAMES."""
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'tests'))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tap
from rig import AT_ONCE, B_FRAMES, FPS, UNTOLD, Sender, decode, missing, source, stamps, wait_for

SENDER, FRAMES = sys.argv[1:3]
ZERO = 3600  # where mpegtsmux begins


def missing_parts():
    return missing(SENDER, 'x264enc', 'mpegtsmux', 'mp4mux', 'h264parse', 'tsdemux', 'qtdemux')


def clips(folder, properties, reference, between='', **options):
    return (f'{source(**options)} ! h264parse ! {between}tee name=t t. ! queue ! foveaclips name=clips location={folder}/{{source}}-%Y%m%d-%H%M%S.mp4 source="gate/1" {properties} '
            f't. ! queue ! h264parse config-interval=-1 ! mpegtsmux ! filesink location={reference} {AT_ONCE}')


def run(tmp, properties, triggers, frames=8 * FPS, **options):
    """A pipeline from start to end with triggers at running times; the sender when it is done."""
    sender = Sender(SENDER, clips(f'{tmp}/clips', properties, f'{tmp}/all.ts', frames=frames, **options))
    wait_for('the start', 10, lambda: sender.epoch, sender.process)
    for at in triggers:
        sender.tell(f'trigger {at} person')
    sender.process.wait(60)
    sender.finish()
    assert sender.process.returncode == 0 and not sender.errors, sender.errors
    return sender


def reference(tmp):
    """[(running time in s, sum of the picture)] of all there was, in the order shown."""
    path = f'{tmp}/all.ts'
    return list(zip(sorted(round(pts - ZERO, 3) for _, pts in stamps(path)), [total for _, total, _ in decode(FRAMES, [path])[path]]))


def files(tmp):
    return sorted(pathlib.Path(tmp, 'clips').glob('*.mp4'))


def content(path, first=0.0):
    """Pictures of a clip, all of them whole and at even distances from the first, in s. (A muxer that knows no edit list in fragments begins with decoding at zero.)"""
    frames = decode(FRAMES, [path])[str(path)]
    assert all(state == '-' for _, _, state in frames), path
    assert all(abs(pts - first * 1e9 - i * 1e9 / FPS) < 2e6 for i, (pts, _, _) in enumerate(frames)), [pts for pts, _, _ in frames]
    return [total for _, total, _ in frames]


def expected(all_of_it, begin, end, keyint=FPS):
    """From the key frame at or before begin to end."""
    first = max(i for i in range(0, len(all_of_it), keyint) if all_of_it[i][0] <= begin)
    return [total for at, total in all_of_it[first:] if at < end]


def messages(sender):
    pattern = r'fovea-clip, location=\(string\)(?:"([^"]*)"|([^,]*)), start=\(guint64\)(\d+), duration=\(guint64\)(\d+), label=\(string\)(\w+), frames=\(guint64\)(\d+), complete=\(boolean\)(\w+)'
    found = [re.match(pattern, text) for text in sender.messages if text.startswith('fovea-clip')]
    return [(match[1] or match[2], int(match[3]) / 1e9, int(match[4]) / 1e9, match[5], int(match[6]), match[7]) for match in found]


def test_exact(tmp):
    """From the key frame before the pre-roll to the end of the post-roll, picture by picture; the message says so."""
    sender = run(tmp, 'pre-roll=1500 post-roll=1000', [2.6], frames=5 * FPS)
    all_of_it = reference(tmp)
    (path,) = files(tmp)
    assert path.name.startswith('gate_1-20'), path
    wanted = expected(all_of_it, 1.1, 3.6)
    assert content(path) == wanted, (len(content(path)), len(wanted))
    ((location, start, duration, label, frames, complete),) = messages(sender)
    assert location == str(path) and label == 'person' and frames == len(wanted) and complete == 'true'
    assert abs(start - max(at for at, _ in all_of_it[::FPS] if at <= 1.1)) < 0.002 and abs(duration - len(wanted) / FPS) < 0.002, (start, duration)
    assert sender.number('clips') == 1 and sender.number('failed') == 0, sender.stats


def check_reordered(tmp, begin, end, between, more=B_FRAMES):
    run(tmp, f'pre-roll={round((3 - begin) * 1000)} post-roll={round((end - 3) * 1000)}', [3], between=between, more=more, frames=6 * FPS)
    (path,) = files(tmp)
    got, wanted = content(path, 2 / FPS), expected(reference(tmp), begin, end)
    assert got[:len(wanted)] == wanted and len(got) <= len(wanted) + 3, (len(got), len(wanted))


def test_reordered_frames(tmp):
    """With B-frames too, all pictures of the window are there and decode."""
    check_reordered(tmp, 1.5, 4, '')


def test_reordered_frames_without_decoding_times(tmp):
    """As RTP delivers them: none is lost, and all are shown at their time."""
    check_reordered(tmp, 1.5, 4, UNTOLD)


def test_reordered_frames_from_the_first_on(tmp):
    """Nothing is known of the stream then; the encoder begins without B-frames and is soon free to choose."""
    check_reordered(tmp, 0.5, 3.5, UNTOLD, B_FRAMES + ' b-adapt=true bframes=3')


def test_events_that_overlap(tmp):
    """Two that touch are one clip; one that does not is another."""
    sender = run(tmp, 'pre-roll=500 post-roll=800 trigger-delay=200', [1.2, 2.0, 5.0], frames=6 * FPS + 10)
    all_of_it = reference(tmp)
    first, second = files(tmp)
    assert content(first) == expected(all_of_it, 0.7, 2.8)
    assert content(second) == expected(all_of_it, 4.5, 5.8)
    assert sender.number('triggers') == 3 and sender.number('merged') == 1, sender.stats


def test_late_and_at_the_end(tmp):
    """A trigger for what has passed, as a detector gives it, and one whose post-roll the stream's end cuts off."""
    sender = Sender(SENDER, clips(f'{tmp}/clips', 'pre-roll=500 post-roll=500', f'{tmp}/all.ts', frames=6 * FPS))
    sender.wait_stat('frames', lambda count: int(count) > 4 * FPS)
    sender.tell('trigger 1.6 person')
    sender.tell('trigger 5.8 person')
    sender.process.wait(30)
    sender.finish()
    all_of_it = reference(tmp)
    first, second = files(tmp)
    assert content(first) == expected(all_of_it, 1.1, 2.1)
    assert content(second) == expected(all_of_it, 5.3, 99)


def test_longest(tmp):
    """One event after the other: the clips follow each other without a hole."""
    run(tmp, 'pre-roll=500 post-roll=600 max-duration=2000', [1.5 + i * 0.5 for i in range(10)], frames=8 * FPS)
    paths = files(tmp)
    assert len(paths) >= 3, paths
    assert sum((content(path) for path in paths), []) == expected(reference(tmp), 1.0, 6.6)
    assert all(len(content(path)) == 2 * FPS for path in paths[:-1])


def test_killed(tmp):
    """kill -9 amidst a clip: what was written plays, and the next start gives it its name."""
    sender = Sender(SENDER, clips(f'{tmp}/clips', 'pre-roll=500 post-roll=60000', f'{tmp}/all.ts'))
    wait_for('the start', 10, lambda: sender.epoch, sender.process)
    sender.tell('trigger 1.2 person')
    sender.wait_stat('frames', lambda count: int(count) > 5 * FPS)
    sender.kill()
    (part,) = pathlib.Path(tmp, 'clips').glob('.*.part')
    all_of_it = reference(tmp)
    pathlib.Path(tmp, 'clips', '.other-file.mp4.part').write_text('not ours')
    pathlib.Path(tmp, 'clips', '.gate_1-20200101-000000.mp4.part').write_text('nothing in it')
    run(f'{tmp}', '', [], frames=5)
    (path,) = files(tmp)
    assert path.name == part.name[1:-5] and not part.exists()
    got = content(path)
    wanted = expected(all_of_it, 0.7, 99)
    assert len(got) >= 3 * FPS and got == wanted[:len(got)], (len(got), len(wanted))
    assert sorted(entry.name for entry in pathlib.Path(tmp, 'clips').glob('.*')) == ['.other-file.mp4.part']


def test_directory_bound(tmp):
    """The oldest of our own clips go; what is not ours stays."""
    folder = pathlib.Path(tmp, 'clips')
    folder.mkdir()
    for name in ('gate_1-20200101-000000.mp4', 'gate_1-20200101-000001-12.mp4', 'gate_1-notes.mp4', 'yard-20200101-000000.mp4', 'gate_1-20200101-000000.mp4.txt'):
        (folder / name).write_bytes(b'x' * 300000)
        os.utime(folder / name, (1577836800, 1577836800))
    sender = run(tmp, 'pre-roll=500 post-roll=500 max-bytes=500000 trigger-delay=0', [1.5, 4.5], frames=7 * FPS)
    left = sorted(path.name for path in folder.iterdir())
    assert {'gate_1-notes.mp4', 'yard-20200101-000000.mp4', 'gate_1-20200101-000000.mp4.txt'} <= set(left), left
    own = [name for name in left if re.fullmatch(r'gate_1-20[0-9]{6}-[0-9]{6}(-[0-9]+)?\.mp4', name)]
    assert not any(name.startswith('gate_1-2020') for name in own) and own, left
    assert sum((folder / name).stat().st_size for name in own) <= 500000 and sender.number('deleted') >= 2, (left, sender.stats)
    os.utime(folder / own[-1], (1577836800, 1577836800))
    run(tmp, 'pre-roll=500 post-roll=500 max-age=3600', [1.5], frames=4 * FPS)
    assert own[-1] not in [path.name for path in folder.iterdir()]


def test_full_disk(tmp):
    """What fits is kept and plays; it is counted, warned of, and the stream goes on to its end."""
    os.mkdir(tmp + '/clips')
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', tmp + '/clips'], capture_output=True).returncode != 0:
        return 'no file system may be mounted here'
    try:
        sender = run(tmp, 'pre-roll=500 post-roll=5000', [1.5], frames=9 * FPS)
        assert sender.number('frames') == 9 * FPS and sender.number('incomplete') + sender.number('failed') == 1, sender.stats
        assert any('clip' in text for text in sender.warnings), sender.warnings
        for path in files(tmp):
            decode(FRAMES, [path])
    finally:
        subprocess.run(['umount', tmp + '/clips'])
    return None


def test_other_formats(tmp):
    """What else MP4 holds; a byte stream, too."""
    formats = (('x265enc', 'x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h265parse'), ('vp9enc', 'vp9enc deadline=1 cpu-used=8 keyframe-max-dist=25 ! vp9parse'),
               ('av1enc', 'av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=25 ! av1parse'),
               ('x264enc', 'x264enc tune=zerolatency key-int-max=25 ! video/x-h264,stream-format=byte-stream ! h264parse config-interval=-1'))
    for element, encoder in formats:
        if missing(SENDER, element):
            print(f'# no {element} here')
            continue
        sender = Sender(SENDER, f'videotestsrc is-live=true num-buffers=75 ! video/x-raw,format=I420,width=64,height=64,framerate={FPS}/1 ! {encoder} '
                        f'! foveaclips name=clips location={tmp}/{element}.mp4 pre-roll=500 post-roll=500 trigger-delay=0')
        wait_for('the start', 10, lambda: sender.epoch, sender.process)
        sender.tell('trigger 1.7 person')
        sender.process.wait(60)
        sender.finish()
        ((location, _, duration, _, frames, complete),) = messages(sender)
        assert complete == 'true' and 15 <= frames <= 33 and 0.9 < duration < 1.4, (element, sender.messages, sender.stats)  # a busy machine's source skips frames
        assert os.path.getsize(location) > 500


test_other_formats.alone = True  # encoders that need the machine, or they drop frames


def test_wrong_locations(tmp):
    for location, part in ((f'{tmp}/%Y/a.mp4', 'not in that of its directory'), (f'{tmp}/noextension', 'extension'), (f'{tmp}/%Q.mp4', '%Q'), (f'{tmp}/a%', 'extension')):
        done = subprocess.run([SENDER, f'{source(frames=5, live=False)} ! h264parse ! foveaclips location={location}'], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert done.returncode == 1 and part in done.stdout, (location, done.stdout, done.stderr)


if __name__ == '__main__':
    reason = missing_parts()
    if reason:
        print(f'1..0 # SKIP {reason}')
    else:
        tap.run({name: value for name, value in globals().items() if len(sys.argv) < 4 or name in sys.argv[3:]}, at_once=6)
