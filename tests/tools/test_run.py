"""fovea detect, run and check from outside, and every file of pipelines/. TAP on stdout."""
import json
import os
import signal
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
    refuses(2, '--model is missing', 'detect', rubbish)
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
                                bad + ":3:43: error: unknown key 'modle' (did you mean 'model'?)",
                                bad + ":3:34: error: detect needs the key 'model'"], err
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
    assert len(names) >= 5
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
    assert err.splitlines()[0].startswith('clip: gst-launch-1.0 -e filesrc') and err.splitlines()[1:] == ['clip: starting', 'clip: running', 'clip: finished'], err
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


tap.run(globals())
