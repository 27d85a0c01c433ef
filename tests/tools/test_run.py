"""fovea detect, run and check from outside, and every file of pipelines/. TAP on stdout."""
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'tests'))
import tap

FOVEA = os.path.abspath(sys.argv[1])
SHARED = os.environ.get('FOVEA_SHARED_DIR', '')
PIPELINES = os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'pipelines')
MODEL = SHARED + '/models/onnx/version-RFB-320.onnx'
FACES = SHARED + '/media/images/face.jpg'
FRAMES = 12
SKIP = 'no test material in FOVEA_SHARED_DIR'


def fovea(*args, timeout=100, **env):
    done = subprocess.run([FOVEA, *args], capture_output=True, text=True, timeout=timeout, env={**os.environ, **env})
    return done.returncode, done.stdout, done.stderr


def refuses(code, sentence, *args, **env):
    rc, out, err = fovea(*args, **env)
    assert rc == code and out == '', (args, rc, out, err)
    lines = err.strip().split('\n')
    assert len(lines) == 1 and lines[0].startswith('fovea ' + args[0] + ': ') and sentence in lines[0], (args, err)


def write(path, text):
    with open(path, 'w') as file:
        file.write(text)
    return path


def clip(tmp, frames=FRAMES):
    """A small clip, made by a raw pipeline."""
    path = tmp + '/clip.mkv'
    steps = write(tmp + '/clip.yaml', f'''version: 1
pipeline:
  - {{element: videotestsrc, properties: {{num-buffers: {frames}}}}}
  - {{caps: "video/x-raw,width=160,height=120,framerate=10/1"}}
  - {{element: jpegenc}}
  - {{element: matroskamux}}
  - {{element: filesink, properties: {{location: "{path}"}}}}
''')
    rc, out, err = fovea('run', steps)
    assert rc == 0 and out == '' and 'pipeline: finished' in err, (rc, out, err)
    return path


def records(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def frame_count(path, tmp):
    """Frames of a video, by reading it back."""
    out = tmp + '/count.jsonl'
    rc, _, err = fovea('detect', '--model', MODEL, path, '--json', out)
    assert rc == 0, err
    return len(records(out))


def test_detect_finds_faces_in_a_picture(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = fovea('detect', '--model', MODEL, FACES, '--output', tmp + '/o.png', '--json', tmp + '/o.jsonl')
    assert rc == 0 and err == '' and 'face.jpg: 4 objects' in out and 'annotated picture: ' in out, (out, err)
    frame, = records(tmp + '/o.jsonl')
    assert frame['schema'] == 'fovea.frame/1' and frame['resolution'] == {'width': 512, 'height': 355} and frame['source'] == 'face.jpg', frame
    assert [o['detection']['label'] for o in frame['objects']] == ['face'] * 4, frame
    with open(tmp + '/o.png', 'rb') as file:
        assert file.read(8) == b'\x89PNG\r\n\x1a\n'
    rc, again, _ = fovea('detect', '--model', MODEL, FACES, '--json', '-', '--quiet')
    assert rc == 0 and json.loads(again)['objects'] == frame['objects'], again
    rc, drawn, _ = fovea('detect', '--model', MODEL, tmp + '/o.png', '--threshold', '0.99', '--max-detections', '1', '--json', '-', '-q')
    assert len(json.loads(drawn)['objects']) == 1, drawn


def test_detect_annotates_a_video(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    video = clip(tmp)
    for ending in ['mp4', 'mkv', 'webm']:
        rc, out, err = fovea('detect', '--model', MODEL, video, '--output', f'{tmp}/o.{ending}', '--json', tmp + '/o.jsonl', '--threads', '1')
        assert rc == 0 and err == '', (ending, err)
        assert f'clip.mkv: {FRAMES} frames in ' in out and 'infer ' in out and f'annotated video: {tmp}/o.{ending}' in out, out
        frames = records(tmp + '/o.jsonl')
        assert [f['seq'] for f in frames] == list(range(FRAMES)) and frames[3]['timestamp'] == 300000000, frames[3]
        assert frame_count(f'{tmp}/o.{ending}', tmp) == FRAMES, ending
    rc, out, err = fovea('detect', '--model', MODEL, video, '--json', '-')
    assert rc == 0 and len(out.splitlines()) == FRAMES and 'frames in' in err, (out, err)
    rc, out, err = fovea('detect', '--model', MODEL, video, '--interval', '4', '--json', '-', '--quiet')
    assert [json.loads(line)['analysed'] for line in out.splitlines()] == [i % 4 == 0 for i in range(FRAMES)] and err == '', (out, err)


def test_detect_completes_the_file_when_interrupted(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    video = clip(tmp, 3000)
    child = subprocess.Popen([FOVEA, 'detect', '--model', MODEL, video, '--output', tmp + '/o.mp4', '--json', tmp + '/i.jsonl'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if os.path.exists(tmp + '/i.jsonl') and os.path.getsize(tmp + '/i.jsonl') > 0:
            break
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and ', interrupted' in out and err == '', (child.returncode, out, err)
    frames = len(records(tmp + '/i.jsonl'))
    assert 0 < frames < 3000 and frame_count(tmp + '/o.mp4', tmp) == frames


def test_detect_refuses_in_one_sentence(tmp):
    rubbish, model = write(tmp + '/rubbish.mp4', 'rubbish\n' * 100), write(tmp + '/model.onnx', 'no model')
    refuses(1, "no model of that name in " + tmp, 'detect', '--model', 'nobody', rubbish, FOVEA_MODEL_DIR=tmp)
    refuses(2, 'INPUT is missing', 'detect', '--model', model)
    refuses(2, '--threshold must be 0 to 1', 'detect', '--model', model, '--threshold', '2', rubbish)
    refuses(2, '--threshold must be 0 to 1', 'detect', '--model', model, '--threshold', 'nan', rubbish)
    refuses(2, '--interval must be 1 or more', 'detect', '--model', model, '--interval', '0', rubbish)
    refuses(2, '--max-detections must be 1 to', 'detect', '--model', model, '--max-detections', '0', rubbish)
    refuses(2, '--threads must be 0', 'detect', '--model', model, '--threads', '1000', rubbish)
    refuses(2, "--device 'tpu' is unknown", 'detect', '--model', model, '--device', 'tpu', rubbish)
    refuses(2, "--device 'vulkan:' is unknown", 'detect', '--model', model, '--device', 'vulkan:', rubbish)
    refuses(1, 'it is a folder', 'detect', '--model', model, tmp)
    refuses(1, '--output \'/nowhere/o.mp4\' cannot be written: there is no folder \'/nowhere\'', 'detect', '--model', model, rubbish, '--output', '/nowhere/o.mp4')
    refuses(1, 'is a folder', 'detect', '--model', model, rubbish, '--json', tmp)
    refuses(1, 'cannot read the model', 'detect', '--model', tmp + '/absent.onnx', rubbish)
    refuses(1, 'cannot read', 'detect', '--model', model, tmp + '/absent.mp4')
    refuses(1, 'would overwrite', 'detect', '--model', model, rubbish, '--output', rubbish)
    refuses(2, 'must end with .mp4, .mkv or .webm', 'detect', '--model', model, rubbish, '--output', tmp + '/o.avi')
    refuses(2, 'must end with .png, .jpg or .bmp', 'detect', '--model', model, write(tmp + '/a.png', 'x'), '--output', tmp + '/o.mp4')
    refuses(1, 'model.onnx', 'detect', '--model', model, clip(tmp))
    if not os.path.exists(MODEL):
        return SKIP
    refuses(1, 'rubbish.mp4', 'detect', '--model', MODEL, rubbish)
    refuses(1, 'a.png', 'detect', '--model', MODEL, tmp + '/a.png')
    refuses(1, '/nowhere/o.mp4', 'detect', '--model', MODEL, clip(tmp), '--output', '/nowhere/o.mp4')
    refuses(1, '/nowhere/o.jsonl', 'detect', '--model', MODEL, clip(tmp), '--json', '/nowhere/o.jsonl')
    with open(clip(tmp), 'rb') as whole, open(tmp + '/cut.mkv', 'wb') as cut:
        cut.write(whole.read(300))
    refuses(1, 'cut.mkv', 'detect', '--model', MODEL, tmp + '/cut.mkv')


def test_detect_leaves_outputs_alone_until_it_can_work(tmp):
    model, rubbish = write(tmp + '/model.onnx', 'no model'), write(tmp + '/rubbish.mp4', 'rubbish\n' * 100)
    old = [write(tmp + '/old.mp4', 'kept'), write(tmp + '/old.jsonl', 'kept')]
    failures = [('model.onnx', model, clip(tmp))]
    if os.path.exists(MODEL):
        failures.append(('rubbish.mp4: ', MODEL, rubbish))
    for sentence, its_model, video in failures:
        refuses(1, sentence, 'detect', '--model', its_model, video, '--output', tmp + '/new.mp4', '--json', tmp + '/new.jsonl')
        assert not os.path.exists(tmp + '/new.mp4') and not os.path.exists(tmp + '/new.jsonl'), sentence
        refuses(1, sentence, 'detect', '--model', its_model, video, '--output', old[0], '--json', old[1])
        for path in old:
            with open(path) as file:
                assert file.read() == 'kept', path


def test_detect_writes_records_to_devices(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = fovea('detect', '--model', MODEL, FACES, '--json', '/dev/stdout', '--quiet')
    assert rc == 0 and len(json.loads(out)['objects']) == 4, (out, err)


def test_configs_of_a_build_tree_are_found(tmp):
    if not os.path.exists(MODEL) or not os.path.isdir(os.path.dirname(FOVEA) + '/../../configs'):
        return SKIP + ', or the build folder is elsewhere'
    environment = {name: value for name, value in os.environ.items() if name != 'FOVEA_CONFIG_DIR'}
    done = subprocess.run([FOVEA, 'inspect', MODEL, '--json'], capture_output=True, text=True, env=environment, cwd=tmp)
    assert json.loads(done.stdout)['description_source'] == 'file', done.stdout[:2000]


def test_check_finds_folders_missing(tmp):
    text = write(tmp + '/f.yaml', "version: 1\ncameras: {a: {uri: '%s'}}\noutputs: {file: {path: '%s/none/o.jsonl'}}\n" % (clip(tmp), tmp))
    rc, out, err = fovea('check', text)
    assert rc == 1 and "f.yaml:3:24: error: cannot write '%s/none/o.jsonl': there is no folder '%s/none'" % (tmp, tmp) in err, err
    assert len(err.splitlines()) == 1, err


def test_check_tells_every_problem(tmp):
    bad = write(tmp + '/bad.yaml', 'version: 1\nmodels: {m: {path: /nowhere.onnx, thresold: 1}}\ncameras: {a: {uri: /nowhere.mp4, detect: {modle: m}}}\n')
    rc, out, err = fovea('check', bad)
    assert rc == 1 and out == '', out
    assert err.splitlines() == [bad + ":2:35: error: unknown key 'thresold' (did you mean 'threshold'?)",
                                bad + ":3:43: error: unknown key 'modle' (did you mean 'model'?)"], err
    rc, out, _ = fovea('check', bad, '--json')
    assert rc == 1 and json.loads(out) == {'problems': err.splitlines(), 'cameras': []}, out
    absent = write(tmp + '/absent.yaml', 'version: 1\nmodels: {m: {path: /nowhere.onnx}}\ncameras: {a: {uri: /nowhere.mp4, detect: {model: m}}}\n')
    rc, out, err = fovea('check', absent)
    assert rc == 1 and [line.split(': error: ')[1] for line in err.splitlines()] == [
        "cannot read '/nowhere.onnx': No such file or directory", "cannot read '/nowhere.mp4': No such file or directory"], err
    rc, out, err = fovea('check', tmp + '/none.yaml')
    assert rc == 1 and 'none.yaml: error: cannot open' in err, err
    refuses(2, 'FILE is missing', 'check')


def settings(tmp, **more):
    secret = write(tmp + '/secret', 'sesame\n')
    return {'MODEL': MODEL, 'CLIP': clip(tmp), 'GATE_URI': clip(tmp), 'YARD_URI': 'file://' + clip(tmp), 'CAMERA_HOST': '127.0.0.1:1',
            'CAMERA_PASSWORD_FILE': secret, 'OUTPUT_DIR': tmp, **more}


def test_check_accepts_every_example(tmp):
    names = sorted(name for name in os.listdir(PIPELINES) if name.endswith('.yaml'))
    assert len(names) >= 7
    model = write(tmp + '/model.onnx', 'never opened')
    for name in names:
        rc, out, err = fovea('check', PIPELINES + '/' + name, **settings(tmp, MODEL=model))
        assert rc == 0 and err == '' and 'gst-launch-1.0 -e ' in out and 'foveadetect' in out, (name, out, err)
        assert 'sesame' not in out, name
        rc, told, err = fovea('check', PIPELINES + '/' + name, '--json', **settings(tmp, MODEL=model))
        assert json.loads(told)['problems'] == [] and all(camera['launch'] in out for camera in json.loads(told)['cameras']), (out, told)
        rc, out, err = fovea('check', PIPELINES + '/' + name, MODEL='')
        assert rc == 1 and PIPELINES + '/' + name + ':' in err, (name, err)


def test_run_of_one_clip(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = fovea('run', '--verbose', PIPELINES + '/file-detect.yaml', **settings(tmp))
    assert rc == 0 and out == '', (rc, out, err)
    assert err.splitlines()[0].startswith('clip: gst-launch-1.0 -e foveasrc name=source uri=file:///') and err.splitlines()[1:] == ['clip: starting', 'clip: running', 'clip: finished'], err
    assert len(records(tmp + '/clip.jsonl')) == FRAMES and frame_count(tmp + '/clip-boxes.mp4', tmp) == FRAMES


def test_run_of_two_cameras_survives_one(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = fovea('run', PIPELINES + '/two-cameras.yaml', **settings(tmp))
    assert rc == 0, err
    assert len(records(tmp + '/gate.jsonl')) == FRAMES and len(records(tmp + '/yard.jsonl')) == FRAMES
    assert frame_count(tmp + '/yard.mkv', tmp) == FRAMES and not os.path.exists(tmp + '/gate.mkv')
    rc, out, err = fovea('run', PIPELINES + '/two-cameras.yaml', **settings(tmp, GATE_URI='/nowhere.mp4'))
    assert rc == 1 and 'gate: failed: ' in err and 'nowhere.mp4' in err and 'yard: finished' in err, err
    assert len(records(tmp + '/yard.jsonl')) == 2 * FRAMES  # append: true


def test_run_of_a_raw_pipeline(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = fovea('run', PIPELINES + '/raw-pipeline.yaml', **settings(tmp))
    assert rc == 0 and len(records(tmp + '/raw.jsonl')) == FRAMES, err
    assert len([name for name in os.listdir(tmp) if name.startswith('raw-')]) == 10


def test_run_of_a_camera_that_is_away(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    child = subprocess.Popen([FOVEA, 'run', PIPELINES + '/rtsp-camera.yaml'], stderr=subprocess.PIPE, text=True, env={**os.environ, **settings(tmp)})
    seen = ''
    while 'retrying' not in seen:
        line = child.stderr.readline()
        assert line, 'it ended: ' + seen
        seen += line
    child.send_signal(signal.SIGTERM)
    _, rest = child.communicate(timeout=60)
    assert child.returncode == 0 and 'gate: stopped' in rest and 'sesame' not in seen + rest, (child.returncode, seen, rest)


def moving_faces(tmp, frames=60):
    """H.264 of a picture with four faces."""
    path = tmp + '/faces.mp4'
    steps = write(tmp + '/faces.yaml', f'''version: 1
pipeline:
  - {{element: filesrc, properties: {{location: "{FACES}"}}}}
  - {{element: jpegdec}}
  - {{element: videoscale}}
  - {{element: videoconvert}}
  - {{caps: "video/x-raw,format=I420,width=640,height=480"}}
  - {{element: imagefreeze, properties: {{num-buffers: {frames}}}}}
  - {{caps: "video/x-raw,framerate=10/1"}}
  - {{element: x264enc, properties: {{speed-preset: ultrafast, tune: zerolatency, key-int-max: 10}}}}
  - {{element: h264parse}}
  - {{element: mp4mux}}
  - {{element: filesink, properties: {{location: "{path}"}}}}
''')
    rc, out, err = fovea('run', steps)
    assert rc == 0, err
    return path


def test_run_keeps_records_and_clips_without_a_broker(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = fovea('run', PIPELINES + '/site.yaml', **settings(tmp, GATE_URI=moving_faces(tmp), BROKER='mqtt://127.0.0.1:1', DRAIN='100ms'))
    assert rc == 0 and 'gate: finished' in err, err
    rc, out, err = fovea('spool', 'ls', tmp + '/spool/gate')
    assert rc == 0 and out.count('\n') > 0, (out, err)
    clips = [name for name in os.listdir(tmp + '/clips/gate') if name.endswith('.mp4')]
    assert len(clips) >= 1 and frame_count(tmp + '/clips/gate/' + clips[0], tmp) >= 10, clips


def test_run_keeps_video_without_a_server(tmp):
    if not os.path.exists(MODEL):
        return SKIP
    sink = 'queue ! matroskamux streamable=true ! tcpclientsink host=127.0.0.1 port=1'
    rc, out, err = fovea('run', PIPELINES + '/uplink.yaml', **settings(tmp, GATE_URI=moving_faces(tmp), UPLINK=sink, DRAIN='100ms'))
    assert rc == 0 and 'gate: finished' in err, err
    rc, out, err = fovea('spool', 'ls', tmp + '/video/gate')
    assert rc == 0 and out.count('\n') > 0, (out, err)


LIVE = '''version: 1
cameras: {away: {uri: "rtsp://127.0.0.1:1/x"}}
pipeline:
  - {element: videotestsrc, properties: {is-live: true}}
  - {caps: "video/x-raw,width=64,height=48,framerate=25/1"}
  - {element: foveaoverlay, properties: {line-width: %s}}
  - {element: %s}
'''


class Service:
    """fovea run with everything it says."""

    def __init__(self, path, *args, **env):
        self.process = subprocess.Popen([FOVEA, 'run', *args, path], stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
        self.seen = ''

    def until(self, word):
        while word not in self.seen:
            line = self.process.stderr.readline()
            assert line, 'it ended: ' + self.seen
            self.seen += line

    def signal(self, number, word=None):
        self.seen = ''
        self.process.send_signal(number)
        if word is not None:
            self.until(word)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        return self.process.returncode, self.seen + rest


def test_run_reads_its_file_again(tmp):
    path = write(tmp + '/live.yaml', LIVE % (2, 'fakesink'))
    service = Service(path)
    service.until('pipeline: running')
    write(path, LIVE % (5, 'fakesink'))
    service.signal(signal.SIGHUP, 'reloaded\n')
    assert 'stopped' not in service.seen and 'starting' not in service.seen, service.seen  # changed in place
    write(path, LIVE % (5, 'fakesnik'))
    service.signal(signal.SIGHUP, 'not reloaded')
    assert path + ":7:15: error: there is no element 'fakesnik' (did you mean 'fakesink'?)" in service.seen, service.seen
    write(path, LIVE % (5, 'fakesink') + 'models: {m: {path: x}}\n')
    service.signal(signal.SIGHUP, 'reloaded\n')
    assert 'starting' not in service.seen, service.seen
    write(path, LIVE % (5, 'appsink'))
    service.signal(signal.SIGHUP, 'pipeline: running')
    assert 'pipeline: stopped\npipeline: starting\n' in service.seen and 'away: st' not in service.seen, service.seen
    rc, said = service.end()
    assert rc == 0 and 'pipeline: stopped' in said, (rc, said)


def test_run_says_what_is_going_on(tmp):
    service = Service(write(tmp + '/live.yaml', LIVE % (2, 'fakesink')), '--status', '--interval=1')
    service.until('away: retrying')
    service.until('away: status: retrying, 0 frames, 0.0 fps, 0 reconnects, 0 dropped\n')
    service.until('pipeline: status: running, ')
    service.signal(signal.SIGUSR1, 'pipeline: status: running, ')
    rc, said = service.end()
    assert rc == 0 and '\033' not in said, said  # no terminal, no table
    refuses(2, '--interval takes seconds from 1 to 86400, not -1', 'run', '--interval=-1', tmp + '/live.yaml')
    refuses(2, '--drain takes seconds from 0 to 3600, not -3', 'run', '--drain=-3', tmp + '/live.yaml')


def test_run_draws_a_table_on_a_terminal(tmp):
    path, (ours, theirs) = write(tmp + '/live.yaml', LIVE % (2, 'fakesink')), pty.openpty()
    process = subprocess.Popen([FOVEA, 'run', '--status', path], stderr=theirs, env={**os.environ, 'TERM': 'xterm'})
    os.close(theirs)
    seen = b''
    while seen.count(b'CAMERA') < 3 or b'\033[J' not in seen or b'away      retrying' not in seen:
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while os.read(ours, 4096):
            pass
    except OSError:  # the other end is closed
        pass
    assert process.wait(60) == 130
    assert b'CAMERA    STATE        FPS    P95 MS  RECONNECTS    DROPS  OUTPUTS\r\n' in seen, seen


def test_run_tells_systemd(tmp):
    if 'libsystemd' not in subprocess.run(['ldd', FOVEA], capture_output=True, text=True).stdout:
        return 'built without libsystemd'
    path, address = write(tmp + '/live.yaml', LIVE % (2, 'fakesink')), tmp + '/notify'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(60)
        service = Service(path, '--drain=2', NOTIFY_SOCKET=address, WATCHDOG_USEC='400000')

        def hear(word):
            while True:
                text = listener.recv(4096).decode()
                if word in text:
                    return text

        assert 'STATUS=2 cameras: ' in hear('READY=1')
        hear('WATCHDOG=1')
        service.until('pipeline: running')
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        service.signal(signal.SIGHUP)
        said = hear('RELOADING=1')
        assert before <= int(said.split('MONOTONIC_USEC=')[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, said
        hear('READY=1')
        hear('WATCHDOG=1')
        assert '1 running' in hear('STATUS=2 cameras: ')
        service.process.send_signal(signal.SIGTERM)
        assert 'EXTEND_TIMEOUT_USEC=7000000' in hear('STOPPING=1')
        _, rest = service.process.communicate(timeout=60)
        assert service.process.returncode == 0, rest


def test_run_whose_main_loop_stands_still_feeds_no_watchdog(tmp):
    if 'libsystemd' not in subprocess.run(['ldd', FOVEA], capture_output=True, text=True).stdout:
        return 'built without libsystemd'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(tmp + '/notify')
        listener.settimeout(60)
        service = Service(write(tmp + '/live.yaml', LIVE % (2, 'fakesink')), NOTIFY_SOCKET=tmp + '/notify', WATCHDOG_USEC='200000')
        while b'WATCHDOG=1' not in listener.recv(4096):
            pass
        service.process.send_signal(signal.SIGSTOP)
        os.waitpid(service.process.pid, os.WUNTRACED)
        listener.setblocking(False)
        try:
            while listener.recv(4096):
                pass
        except BlockingIOError:
            pass
        listener.settimeout(1)  # five intervals
        try:
            assert False, listener.recv(4096)
        except TimeoutError:
            pass
        service.process.send_signal(signal.SIGCONT)
        listener.settimeout(60)
        while b'WATCHDOG=1' not in listener.recv(4096):
            pass
        assert service.end()[0] == 0


def test_run_drains_and_a_second_signal_ends_at_once(tmp):
    pipe = tmp + '/pipe'
    os.mkfifo(pipe)
    other = os.open(pipe, os.O_RDWR)  # nobody reads: the pipe fills, and the end of the stream cannot pass
    path = write(tmp + '/stuck.yaml', f'''version: 1
pipeline:
  - {{element: videotestsrc, properties: {{is-live: true}}}}
  - {{caps: "video/x-raw,width=640,height=480,framerate=25/1"}}
  - {{element: filesink, properties: {{location: "{pipe}", sync: false}}}}
''')
    for drain, again, expected in ('1', False, 0), ('600', True, -signal.SIGTERM):
        service = Service(path, '--drain=' + drain)
        service.until('pipeline: starting')
        time.sleep(1)  # the pipe is full
        service.process.send_signal(signal.SIGTERM)
        if again:
            time.sleep(1)
            service.process.send_signal(signal.SIGTERM)
        _, rest = service.process.communicate(timeout=60)
        assert service.process.returncode == expected, (drain, service.process.returncode, rest)
        os.set_blocking(other, False)
        try:
            while os.read(other, 1 << 20):
                pass
        except BlockingIOError:
            os.set_blocking(other, True)
    os.close(other)


tap.run(globals())
