"""The programs of examples/ do what their first lines say. TAP on stdout."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'tests'))
import tap

FOVEA, DETECT_IMAGE, RUN_PIPELINE = (os.path.abspath(path) for path in sys.argv[1:4])
SHARED = os.environ.get('FOVEA_SHARED_DIR', '')
MODEL, FACES = SHARED + '/models/onnx/version-RFB-320.onnx', SHARED + '/media/images/face.jpg'
RUN_PYTHON = os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'examples', 'python', 'run_pipeline.py')
SKIP = 'no test material in FOVEA_SHARED_DIR'
FRAMES, WIDTH, HEIGHT = 5, 512, 355


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def write(path, text):
    with open(path, 'w') as file:
        file.write(text)
    return path


def picture_to(tmp, steps):
    """Runs the picture of faces through more elements."""
    yaml = write(tmp + '/make.yaml', 'version: 1\npipeline:\n- {element: filesrc, properties: {location: "%s"}}\n- {element: jpegdec}\n%s' % (FACES, steps))
    rc, out, err = run(FOVEA, 'run', yaml)
    assert rc == 0, err


def cameras(tmp):
    picture_to(tmp, f'''- {{element: imagefreeze, properties: {{num-buffers: {FRAMES}}}}}
- {{caps: "video/x-raw,framerate=5/1"}}
- {{element: jpegenc}}
- {{element: matroskamux}}
- {{element: filesink, properties: {{location: "{tmp}/faces.mkv"}}}}
''')
    return write(tmp + '/cameras.yaml', f'version: 1\nmodels: {{faces: {{path: "{MODEL}"}}}}\ncameras: {{door: {{uri: "{tmp}/faces.mkv", detect: {{model: faces}}}}}}\n')


def test_detect_image_with_the_core_alone(tmp):
    rc, out, err = run(DETECT_IMAGE, tmp + '/absent.onnx', tmp + '/absent.ppm')
    assert rc == 1 and 'no binary PPM' in err, err
    if not os.path.exists(MODEL):
        return SKIP
    picture_to(tmp, f'- {{element: videoconvert}}\n- {{caps: "video/x-raw,format=RGB"}}\n- {{element: filesink, properties: {{location: "{tmp}/raw"}}}}\n')
    with open(tmp + '/raw', 'rb') as raw, open(tmp + '/faces.ppm', 'wb') as ppm:
        ppm.write(b'P6\n%d %d\n255\n' % (WIDTH, HEIGHT) + raw.read())
    rc, out, err = run(DETECT_IMAGE, MODEL, tmp + '/faces.ppm')
    assert rc == 0 and err == '' and len(out.splitlines()) == 4 and all(line.startswith('face 0.9') or line.startswith('face 1.0') for line in out.splitlines()), out
    rc, out, err = run(DETECT_IMAGE, tmp + '/faces.ppm', tmp + '/faces.ppm')
    assert rc == 1 and out == '' and 'faces.ppm' in err, err


def test_run_pipeline_in_c(tmp):
    rc, out, err = run(RUN_PIPELINE, write(tmp + '/bad.yaml', 'version: 1\ncamras: {}\n'))
    assert rc == 1 and "bad.yaml:2:1: error: unknown key 'camras' (did you mean 'cameras'?)" in err, err
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = run(RUN_PIPELINE, cameras(tmp))
    frames = [line.split(' ', 3) for line in out.splitlines() if ' s {' in line]
    assert rc == 0 and err == '' and len(frames) == FRAMES, (out, err)
    assert [frame[:2] for frame in frames[:2]] == [['door', '0.000'], ['door', '0.200']], frames
    assert all(len(json.loads(frame[3])['objects']) == 4 for frame in frames), frames
    assert out.splitlines()[-1].startswith('door FOVEA_CAMERA_FINISHED'), out


def test_run_pipeline_in_python(tmp):
    if not os.environ.get('GI_TYPELIB_PATH'):
        return 'built without introspection'
    if os.environ.get('FOVEA_SANITIZED'):
        return 'a sanitized library cannot be loaded into a plain Python'
    # python3-gi belongs to the system's Python, which need not be the first in PATH.
    python = next((path for path in (sys.executable, '/usr/bin/python3') if os.path.exists(path) and run(path, '-c', 'import gi')[0] == 0), None)
    if not python:
        return 'python3-gi is not installed'
    rc, out, err = run(python, RUN_PYTHON, write(tmp + '/bad.yaml', 'version: 1\ncamras: {}\n'))
    assert rc == 1 and "did you mean 'cameras'?" in err, err
    if not os.path.exists(MODEL):
        return SKIP
    rc, out, err = run(python, RUN_PYTHON, cameras(tmp))
    assert rc == 0 and out.splitlines()[-2:] == ['door finished ', f'door: face {4 * FRAMES}'], (out, err)


tap.run(globals())
