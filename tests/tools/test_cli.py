"""The fovea command from outside: what it prints, what it refuses and how it says so. TAP on stdout."""
import json
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import onnx_bytes as ob
sys.path.insert(0, os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'tests'))
import tap

FOVEA = os.path.abspath(sys.argv[1])
SHARED = os.environ.get('FOVEA_SHARED_DIR', '')
COMMANDS = ['infer', 'inspect', 'eval', 'bench', 'devices', 'compress', 'keygen', 'sign', 'verify', 'spool']


def fovea(*args):
    done = subprocess.run([FOVEA, *args], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def refuses(code, sentence, *args):
    """The command ends with `code` and says one line that begins with its name and holds `sentence`."""
    rc, out, err = fovea(*args)
    assert rc == code, (args, rc, out, err)
    assert out == '', (args, out)
    lines = err.strip().split('\n')
    assert len(lines) == 1 and lines[0].startswith('fovea'), (args, err)
    assert sentence in lines[0], (args, err)


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)
    return path


def sum_model(dims=(1, 2, 3)):
    return ob.model([ob.node('Add', ['left', 'right'], ['out/sum:0'], 'add')],
                    [ob.value_info('left', ob.F32, dims), ob.value_info('right', ob.F32, dims)], [ob.value_info('out/sum:0', ob.F32, dims)])


def reshape_model():
    return ob.model([ob.node('Reshape', ['x', 'shape'], ['y'])], [ob.value_info('x', ob.F32, (2, 3)), ob.value_info('shape', ob.I64, (2,))],
                    [ob.value_info('y', ob.F32, ('a', 'b'))])


def test_help_lists_every_command(tmp):
    rc, out, err = fovea('--help')
    assert rc == 0 and err == ''
    for command in COMMANDS:
        assert '  %s ' % command in out, command
        rc, text, err = fovea(command, '--help')
        assert rc == 0 and 'Usage:\n  fovea %s ' % command in text and err == '', (command, text, err)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def spool_segment(payloads, priority=0, first=1):
    """A segment file, from the words of core/spool/format.h."""
    header = b'FVSPOOL1' + bytes([priority]) + bytes(7) + struct.pack('<QI', first, 0)
    out = header + struct.pack('<I', crc32c(header))
    for i, payload in enumerate(payloads):
        record = b'FVR1' + struct.pack('<IQqqHB5x', len(payload), first + i, 1700000000123456789 + i, 5, 7, priority) + struct.pack('<I', crc32c(payload))
        out += record + struct.pack('<I', crc32c(record)) + payload + bytes(-len(payload) % 8)
    return out


def test_spool(tmp):
    directory = tmp + '/spool'
    os.mkdir(directory)
    segment = spool_segment([b'{"a":1}', b'{"b":22}', b'\xff\x00'], priority=3)
    path = write(directory + '/p3-0000000000000001.seg', segment)
    rc, text, err = fovea('spool', 'ls', directory, '--json')
    assert rc == 0 and err == '', err
    summary = json.loads(text)
    assert summary == {'directory': directory, 'records': 3, 'bytes': len(segment), 'segments': 1, 'oldest': '2023-11-14T22:13:20.123Z'}, summary
    rc, text, err = fovea('spool', 'cat', directory, '--limit', '2')
    assert rc == 0 and text.split('\n')[1] == '0300000000000002 2023-11-14T22:13:20.123Z type 7 priority 3, 8 bytes: {"b":22}', text
    rc, text, err = fovea('spool', 'verify', directory)
    assert rc == 0 and '3 records, all whole' in text
    assert sorted(os.listdir(directory)) == ['p3-0000000000000001.seg']  # looking leaves no trace
    damaged = bytearray(segment)
    damaged[32 + 48] ^= 1
    write(path, damaged)
    refuses(1, '2 records are whole; 1 places cannot be read', 'spool', 'verify', directory)
    refuses(2, 'purge needs --reader NAME', 'spool', 'purge', directory)
    rc, text, err = fovea('spool', 'purge', directory, '--reader', 'mqtt')
    assert rc == 0 and '2 records given up' in text, (text, err)
    rc, text, err = fovea('spool', 'cat', directory, '--reader', 'mqtt')
    assert rc == 0 and text == '', text
    refuses(2, "'rm' is nothing that can be done", 'spool', 'rm', directory)
    refuses(1, '/nowhere: No such file', 'spool', 'ls', tmp + '/nowhere')


def test_version(tmp):
    rc, out, err = fovea('--version')
    assert rc == 0 and out.startswith('fovea ')


def test_unknown_commands_name_the_nearest(tmp):
    refuses(2, "did you mean 'infer'", 'infr')
    refuses(2, "no command 'frobnicate'", 'frobnicate')
    rc, out, err = fovea()
    assert rc == 2 and 'Usage' in err


def test_wrong_options_are_usage_errors(tmp):
    refuses(2, 'unknown option --frob', 'infer', '--frob')
    refuses(2, 'MODEL is missing', 'infer')
    refuses(2, "'b.onnx' is one argument too many", 'bench', 'a.onnx', 'b.onnx')
    refuses(2, 'see fovea bench --help', 'bench', '--runs', 'many', 'a.onnx')


def test_devices(tmp):
    rc, out, err = fovea('devices', '--json')
    devices = json.loads(out)['devices']
    assert rc == 0 and devices[0]['id'] == 'cpu' and devices[0]['usable'] is True
    rc, out, err = fovea('devices')
    assert rc == 0 and out.startswith('cpu ')
    for device in devices[1:]:
        if device['usable']:
            vulkan = device['vulkan']
            assert vulkan['load_path'] in ('texel', 'storage') and 'basic' in vulkan['subgroup_operations'] and vulkan['memory_bytes'] > 0, device


def test_devices_are_timed_on_a_model(tmp):
    model = write(tmp + '/sum.onnx', sum_model())
    rc, out, err = fovea('devices', '--model', model, '--json')
    found = json.loads(out)
    assert rc == 0 and [t['device'] for t in found['timings']] == [d['id'] for d in found['devices']], out
    assert sum(t['chosen'] for t in found['timings']) == 1 and found['timings'][0]['ms'] > 0, out
    rc, out, err = fovea('devices', '--model', model)
    assert rc == 0 and out.count('takes it') == 1, out
    refuses(1, 'No such file', 'devices', '--model', tmp + '/none.onnx')
    refuses(2, 'threads must be', 'devices', '--model', model, '--threads', '-1')


def test_infer_writes_outputs_by_safe_names(tmp):
    model = write(tmp + '/sum.onnx', sum_model())
    left = write(tmp + '/left.npy', ob.npy(ob.F32, (1, 2, 3), [1, 2, 3, 4, 5, 6]))
    right = write(tmp + '/right.npy', ob.npy(ob.F32, (1, 2, 3), [10, 20, 30, 40, 50, 60]))
    for extra in ([], ['--reference'], ['--device', 'cpu', '--threads', '1']):
        rc, out, err = fovea('infer', model, '--input', 'right=' + right, '--input', left, '--output-dir', tmp + '/made/here', *extra)
        assert rc == 0 and err == '', err
        assert ob.read_npy(tmp + '/made/here/out_sum_0.npy') == ((1, 2, 3), [11, 22, 33, 44, 55, 66])


def test_infer_tells_its_outputs_as_json(tmp):
    model = write(tmp + '/sum.onnx', sum_model())
    x = write(tmp + '/x.npy', ob.npy(ob.F32, (1, 2, 3), [1] * 6))
    rc, out, err = fovea('infer', model, '--input', x, '--input', x, '--output-dir', tmp, '--json', '--threads', '1')
    assert rc == 0 and err == '', err
    assert json.loads(out) == {'model': model, 'device': 'cpu', 'threads': 1,
                               'outputs': [{'name': 'out/sum:0', 'dtype': 'f32', 'shape': [1, 2, 3], 'file': tmp + '/out_sum_0.npy'}]}, out


def test_infer_takes_shapes_as_inputs(tmp):
    model = write(tmp + '/reshape.onnx', reshape_model())
    x = write(tmp + '/x.npy', ob.npy(ob.F32, (2, 3), [1, 2, 3, 4, 5, 6]))
    shape = write(tmp + '/shape.npy', ob.npy(ob.I64, (2,), [3, -1]))
    rc, out, err = fovea('infer', model, '--input', 'x=' + x, '--input', 'shape=' + shape, '--output-dir', tmp)
    assert rc == 0, err
    assert ob.read_npy(tmp + '/y.npy') == ((3, 2), [1, 2, 3, 4, 5, 6])


def test_infer_refuses_wrong_inputs(tmp):
    model = write(tmp + '/sum.onnx', sum_model())
    good = write(tmp + '/good.npy', ob.npy(ob.F32, (1, 2, 3), [0] * 6))
    bytes_ = write(tmp + '/bytes.npy', ob.npy(ob.U8, (1, 2, 3), [0] * 6))
    small = write(tmp + '/small.npy', ob.npy(ob.F32, (1, 2), [0] * 2))
    noise = write(tmp + '/noise.npy', b'not an array')
    refuses(1, "input 'left' takes f32, but the file holds u8", 'infer', model, '--input', bytes_)
    refuses(1, "input 'right' is f32[1,2,3], but the file holds f32[1,2]", 'infer', model, '--input', good, '--input', small)
    refuses(1, "input 'right' is missing", 'infer', model, '--input', good)
    refuses(1, "there is no input 'middle'; the model has 'left', 'right'", 'infer', model, '--input', 'middle=' + good)
    refuses(1, "input 'left' is given twice", 'infer', model, '--input', 'left=' + good, '--input', 'left=' + good)
    refuses(1, 'no input left for it', 'infer', model, '--input', good, '--input', good, '--input', good)
    refuses(1, 'noise.npy', 'infer', model, '--input', noise)
    refuses(1, 'absent.npy', 'infer', model, '--input', tmp + '/absent.npy')


def test_infer_refuses_outputs_of_one_name(tmp):
    model = write(tmp + '/two.onnx', ob.model([ob.node('Relu', ['x'], ['a/b']), ob.node('Abs', ['x'], ['a:b'])], [ob.value_info('x', ob.F32, (2,))],
                                              [ob.value_info('a/b', ob.F32, (2,)), ob.value_info('a:b', ob.F32, (2,))]))
    x = write(tmp + '/x.npy', ob.npy(ob.F32, (2,), [1, -1]))
    refuses(1, "outputs 'a/b' and 'a:b' would both be written", 'infer', model, '--input', x, '--output-dir', tmp)


def test_bad_models_and_devices(tmp):
    model = write(tmp + '/sum.onnx', sum_model())
    broken = write(tmp + '/broken.onnx', sum_model()[:-20])
    for command in ('infer', 'inspect', 'bench'):
        refuses(1, 'absent.onnx', command, tmp + '/absent.onnx')
        refuses(1, 'broken.onnx', command, broken)
    refuses(1, 'ulkan', 'bench', model, '--device', 'vulkan:99')
    refuses(1, 'ulkan', 'inspect', model, '--device', 'vulkan:no such card')
    refuses(2, 'threads must be', 'bench', model, '--threads', '99')
    refuses(2, "device 'tpu' is unknown", 'bench', model, '--device', 'tpu')
    for command in ('inspect', 'infer', 'bench'):
        refuses(2, 'threads must be', command, model, '--threads', '-1')


def keys_of(value):
    """Every key of an object and of the objects in it, but not those that are names of operators and classes."""
    if isinstance(value, list):
        return set().union(*[keys_of(item) for item in value])
    if not isinstance(value, dict):
        return set()
    return set(value).union(*[keys_of(item) for key, item in value.items() if key not in ('operators', 'per_class')])


def test_every_json_key_is_documented(tmp):
    with open(os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'docs', 'commands.md')) as file:
        page = file.read()
    model = write(tmp + '/sum.onnx', sum_model())
    for args in (['inspect', model], ['bench', model, '--runs', '1', '--profile'], ['devices', '--model', model]):
        rc, out, err = fovea(*args, '--json')
        assert rc == 0, err
        section = page.split('\n## %s\n' % args[0])[1].split('\n## ')[0] + page.split('\n## inspect\n')[1].split('\n## ')[0]
        missing = [key for key in keys_of(json.loads(out)) if '`%s`' % key not in section]
        assert not missing, (args[0], missing)


def test_inspect(tmp):
    model = write(tmp + '/sum.onnx', sum_model(('n', 3, 8)))
    rc, out, err = fovea('inspect', model, '--json', '--input-shape', 'left=2x3x8', '--input-shape', 'right=2x3x8')
    assert rc == 0, err
    info = json.loads(out)
    assert info['operators'] == {'Add': 1} and info['nodes'] == 1 and info['opset'] == 13 and info['producer'].startswith('fovea-tests')
    assert [i['name'] for i in info['inputs']] == ['left', 'right'] and info['inputs'][0]['shape'] == [2, 3, 8] and info['inputs'][0]['dtype'] == 'f32'
    assert info['outputs'][0]['shape'] == [2, 3, 8]
    assert info['steps'][0]['operation'] == 'Add' and info['steps'][0]['kernel'] and info['session_bytes'] > 0
    rc, out, err = fovea('inspect', model)
    assert rc == 0 and 'Add 1' in out and 'left f32[1,3,8]' in out, out
    refuses(2, "--input-shape 'left=2y3'", 'inspect', model, '--input-shape', 'left=2y3')
    fixed = write(tmp + '/fixed.onnx', sum_model((1, 3, 8)))
    rc, out, err = fovea('inspect', fixed, '--json', '--input-shape', 'left=4x0x16', '--input-shape', 'right=4x0x16')
    assert rc == 0 and json.loads(out)['outputs'][0]['shape'] == [4, 3, 16], (out, err)
    refuses(1, 'with the input shape given', 'inspect', fixed, '--input-shape', 'left=1x3x5')
    refuses(1, "no input 'up'", 'inspect', model, '--input-shape', 'up=1x3x8')


def test_bench(tmp):
    model = write(tmp + '/sum.onnx', sum_model())
    rc, out, err = fovea('bench', model, '--runs', '7', '--warmup', '0', '--json', '--profile', '--threads', '1')
    assert rc == 0, err
    info = json.loads(out)
    assert info['runs'] == 7 and info['threads'] == 1 and info['min_ms'] <= info['p50_ms'] <= info['p95_ms']
    assert info['load_ms'] > 0 and info['peak_memory_bytes'] > 0 and info['steps'][0]['operation'] == 'Add'
    rc, out, err = fovea('bench', model, '--runs', '2', '--profile')
    assert rc == 0 and 'p50' in out and 'Add' in out
    refuses(2, '--runs must be', 'bench', model, '--runs', '0')
    refuses(2, '--warmup must be', 'bench', model, '--warmup', '-1')


def test_inspect_knows_a_real_detector(tmp):
    path = SHARED + '/models/onnx/nanodet_m_320.onnx'
    if not os.path.exists(path):
        return 'no test material in FOVEA_SHARED_DIR'
    rc, out, err = fovea('inspect', path, '--json')
    assert rc == 0, err
    info = json.loads(out)
    assert info['family'] == 'nanodet' and info['preprocess']['width'] == 320, info['family']
    assert len(info['labels']) == info['classes'] == 80 and info['labels'][:3] == ['person', 'bicycle', 'car'] and info['score_activation'] == 'none'
    assert info['operators']['Conv'] == 73 and 300e6 < info['macs'] < 400e6


def test_eval_refuses_what_it_cannot_measure(tmp):
    model = write(tmp + '/sum.onnx', sum_model())
    refuses(2, 'either --images DIR or --clip FILE', 'eval', model, '--annotations', 'a.json')
    refuses(2, 'either --images DIR or --clip FILE', 'eval', model, '--images', tmp, '--clip', 'a.mp4', '--annotations', 'a.json')
    refuses(2, '--truth is about a clip', 'eval', model, '--images', tmp, '--truth', 'a.json')
    refuses(2, '--annotations is about pictures', 'eval', model, '--clip', 'a.mp4', '--annotations', 'a.json')
    refuses(2, 'either --truth FILE or --truth-model MODEL', 'eval', model, '--clip', 'a.mp4')
    refuses(2, '--pictures chooses among unannotated', 'eval', model, '--clip', 'a.mp4', '--truth-model', model, '--pictures', '3')
    refuses(2, 'either --annotations FILE or --truth-model MODEL', 'eval', model, '--images', tmp)
    refuses(2, 'either --annotations FILE or --truth-model MODEL', 'eval', model, '--images', tmp, '--annotations', 'a.json', '--truth-model', model)
    refuses(2, '--pictures chooses among unannotated', 'eval', model, '--images', tmp, '--annotations', 'a.json', '--pictures', '3')
    refuses(2, '--threshold must', 'eval', model, '--images', tmp, '--annotations', 'a.json', '--threshold', '2')
    refuses(2, '--max-detections must', 'eval', model, '--images', tmp, '--annotations', 'a.json', '--max-detections', '0')
    refuses(1, 'sum', 'eval', model, '--images', tmp, '--annotations', 'a.json')


def test_eval_measures_a_real_detector(tmp):
    model, coco = SHARED + '/models/onnx/nanodet_m_320.onnx', SHARED + '/media/coco/'
    if not os.path.exists(model) or not os.path.exists(coco):
        return 'no test material in FOVEA_SHARED_DIR'
    with open(coco + 'instances.json') as file:
        truth = json.load(file)
    truth['images'] = truth['images'][:4]
    ids = {image['id'] for image in truth['images']}
    truth['annotations'] = [a for a in truth['annotations'] if a['image_id'] in ids]
    some = write(tmp + '/some.json', json.dumps(truth).encode())
    rc, out, err = fovea('eval', model, '--images', coco + 'images', '--annotations', some, '--json', '--detections', tmp + '/found.json')
    assert rc == 0 and err == '', err
    result = json.loads(out)
    assert result['images'] == 4 and 0.05 < result['map'] < result['ap50'] <= 1, result
    assert all(0 <= ap <= 1 for ap in result['per_class'].values())
    with open(tmp + '/found.json') as file:
        found = json.load(file)
    assert len(found) == result['detections'] > 0 and set(found[0]) == {'image_id', 'category_id', 'bbox', 'score'} and len(found[0]['bbox']) == 4
    refuses(1, 'no such file', 'eval', model, '--images', tmp, '--annotations', some)
    refuses(1, 'absent.json', 'eval', model, '--images', tmp, '--annotations', tmp + '/absent.json')


def test_eval_measures_on_a_clip(tmp):
    model, clip = SHARED + '/models/onnx/nanodet_m_320.onnx', SHARED + '/media/clips/person-bicycle-car_preview.mp4'
    if not os.path.exists(model) or not os.path.exists(clip):
        return 'no test material in FOVEA_SHARED_DIR'
    # What the model itself finds is the truth: all of it is found again, above the score where the truth ends.
    rc, out, err = fovea('eval', model, '--clip', clip, '--truth-model', model, '--json', '--classes', 'person,car', '--detections', tmp + '/clip.json')
    assert rc == 0, err
    own = json.loads(out)
    assert own['images'] == 41 and own['ap50'] > 0.999 and set(own['per_class_ap50']) == {'person', 'car'}, own
    with open(tmp + '/clip.json') as file:
        found = [d for d in json.load(file) if d['score'] >= 0.3 and d['category_id'] == 1 and d['image_id'] <= 9]
    assert found
    # The same truth of the persons in the first nine frames, written both ways, gives the same figure.
    coco = {'images': [{'id': 100 + n, 'file_name': '%d.jpg' % n, 'frame_index': n} for n in range(9)], 'categories': [{'id': 4, 'name': 'person'}],
            'annotations': [{'id': n, 'image_id': 99 + d['image_id'], 'category_id': 4, 'bbox': d['bbox']} for n, d in enumerate(found)]}
    video = write(tmp + '/video.json', json.dumps(coco).encode())
    lines = ['%d,1,%s,1,1,1' % (d['image_id'], ','.join('%.2f' % v for v in d['bbox'])) for d in found] + ['9,2,0,0,5,5,0,1,1', '9,3,0,0,9,9,1,7,1']
    mot = write(tmp + '/gt.txt', '\n'.join(lines).encode())
    for truth in (video, mot):
        rc, out, err = fovea('eval', model, '--clip', clip, '--truth', truth, '--json')
        assert rc == 0, err
        assert json.loads(out)['images'] == 9 and json.loads(out)['per_class_ap50'].keys() == {'person'} and json.loads(out)['ap50'] > 0.98, out
    coco['categories'][0]['name'] = 'pedestrian'
    other = write(tmp + '/other.json', json.dumps(coco).encode())
    rc, out, err = fovea('eval', model, '--clip', clip, '--truth', other, '--json', '--rename', 'pedestrian=person')
    assert rc == 0 and json.loads(out)['ap50'] > 0.98, (out, err)
    refuses(1, "none of the model's 80 classes", 'eval', model, '--clip', clip, '--truth', other)
    refuses(1, "no class 'horse'", 'eval', model, '--clip', clip, '--truth', video, '--rename', 'horse=unicorn')
    refuses(2, "--rename takes FROM=TO", 'eval', model, '--clip', clip, '--truth', video, '--rename', 'unicorn')
    refuses(1, "no class 'unicorn'", 'eval', model, '--clip', clip, '--truth', video, '--classes', 'unicorn')
    refuses(1, ':2: six to nine numbers', 'eval', model, '--clip', clip, '--truth', write(tmp + '/bad.txt', b'1,1,0,0,5,5\n2,1,zero,0,5,5\n'))
    refuses(1, ':1: the frame must', 'eval', model, '--clip', clip, '--truth', write(tmp + '/bad.txt', b'0,1,0,0,5,5\n'))
    refuses(1, 'no box in it', 'eval', model, '--clip', clip, '--truth', write(tmp + '/bad.txt', b'\n'))
    refuses(1, 'has 41 of the 50 frames', 'eval', model, '--clip', clip, '--truth', write(tmp + '/long.txt', '\n'.join('%d,1,0,0,5,5' % n for n in range(1, 51)).encode()))
    refuses(1, 'No such file', 'eval', model, '--clip', tmp + '/absent.mp4', '--truth', video)
    refuses(1, 'gt.txt', 'eval', model, '--clip', mot, '--truth', video)
    coco['images'][0]['frame_index'] = -1
    refuses(1, 'frame_index', 'eval', model, '--clip', clip, '--truth', write(tmp + '/bad.json', json.dumps(coco).encode()))


def test_compress_writes_what_everything_opens(tmp):
    model, out = write(tmp + '/sum.onnx', sum_model()), tmp + '/sum.fovea'
    rc, text, err = fovea('compress', model, '-o', out)
    assert rc == 0 and 'not signed' in text, (rc, text, err)
    rc, text, err = fovea('inspect', out, '--json')
    info = json.loads(text)
    assert rc == 0 and info['format'] == 'fovea' and info['signature'] == 'none' and info['operators'] == {'Add': 1}, info
    assert [section['name'] for section in info['sections']][:2] == ['graph', 'weights'], info
    assert info['provenance']['source'] == 'sum.onnx' and info['ratio'] > 0, info
    rc, text, err = fovea('inspect', out, '--signature', 'off')
    assert rc == 0 and err == '' and 'signature    not signed' in text, (text, err)
    refuses(1, 'is a .fovea file already', 'compress', out, '-o', tmp + '/again.fovea', '--signature', 'off')
    refuses(2, '-o OUT.fovea is missing', 'compress', model)
    refuses(2, 'narrow weights need --calibrate DIR', 'compress', model, '-o', out, '--weights', 'int8')
    refuses(2, "--entropy 'zip' is not available: there is auto, none, huffman", 'compress', model, '-o', out, '--entropy', 'zip')


def test_compress_refuses_what_makes_no_sense(tmp):
    model, out = write(tmp + '/sum.onnx', sum_model()), tmp + '/sum.fovea'
    for option, value in [('--weights', 'int2'), ('--weights', 'codebook:1'), ('--weights', 'int'), ('--activations', 'int4'), ('--activations', 'fp16'), ('--ranges', 'wide'),
                          ('--rounding', 'up'), ('--prune', 'magnitude'), ('--prune', 'magnitude:1.5'), ('--prune', '4:2'), ('--prune', 'list:'), ('--keep', 'first'),
                          ('--keep', '=fp32'), ('--keep', 'first=int9'), ('--keep', 'first=int8/int8'), ('--rate', '-1'), ('--pictures', '0'), ('--measure', '-1'), ('--budget', '-1'), ('--prune-steps', '-1'), ('--decode-ms', '-2')]:
        refuses(2, option, 'compress', model, '-o', out, '--calibrate', tmp, option, value)
    for option, value in [('--budget', '1'), ('--annotations', 'a.json'), ('--images', tmp), ('--prune', '2:4')]:
        refuses(2, option + ' needs --calibrate', 'compress', model, '-o', out, option, value)
    refuses(2, '--activations int8 needs weights', 'compress', model, '-o', out, '--calibrate', tmp, '--weights', 'fp16', '--activations', 'int8')
    refuses(1, 'is not a folder', 'compress', model, '-o', out, '--calibrate', model)
    os.mkdir(tmp + '/empty')
    refuses(1, 'no picture in it', 'compress', model, '-o', out, '--calibrate', tmp + '/empty')
    refuses(1, 'there is nothing to make smaller', 'compress', model, '-o', out, '--keep', 'first=fp16')
    assert not os.path.exists(out)


def test_compress_a_real_detector(tmp):
    model, coco = SHARED + '/models/onnx/yolo-fastestv2.onnx', SHARED + '/media/coco/'
    if not os.path.exists(model) or not os.path.exists(coco):
        return 'no test material in FOVEA_SHARED_DIR'
    os.mkdir(tmp + '/pictures')
    for name in sorted(os.listdir(coco + 'images'))[:6]:
        os.symlink(coco + 'images/' + name, tmp + '/pictures/' + name)
    files = []
    for i in range(2):  # the same input gives the same file
        rc, text, err = fovea('compress', model, '-o', tmp + '/small.fovea', '--calibrate', tmp + '/pictures', '--pictures', '4', '--layers', '--keep', 'Conv_0=fp16', '--threads', str(i + 1))
        assert rc == 0 and err == '', err
        assert 'Conv_0 ' in text and ' fp16 ' in text and ' int8 ' in text and 'on 2 pictures; truth: what the model found' in text, text
        with open(tmp + '/small.fovea', 'rb') as file:
            files.append(file.read())
    assert len(files[0]) < os.path.getsize(model) / 3.5 and len(files[0]) == len(files[1])
    rc, text, err = fovea('inspect', tmp + '/small.fovea', '--json')
    info = json.loads(text)
    assert info['accuracy']['pictures'] == '2' and float(info['accuracy']['after']) > 50 and info['calibration']['pictures'] == '4' and info['provenance']['weights'] == 'integers', info
    assert float(info['accuracy']['before']) > 99.9, info['accuracy']
    rc, text, err = fovea('eval', tmp + '/small.fovea', '--images', tmp + '/pictures', '--truth-model', model, '--signature', 'off', '--json')
    result = json.loads(text)
    assert rc == 0 and result['images'] == 6 and 0.5 < result['map'] < result['ap50'], (result, err)


def test_signatures(tmp):
    model, out, trusted = write(tmp + '/sum.onnx', sum_model()), tmp + '/signed.fovea', tmp + '/trusted'
    assert fovea('keygen', tmp + '/office')[0] == 0
    refuses(1, 'File exists', 'keygen', tmp + '/office')
    os.mkdir(trusted)
    assert fovea('compress', model, '-o', out)[0] == 0
    refuses(1, 'intact, but not signed', 'verify', out)
    refuses(1, 'the file is not signed', 'inspect', out, '--signature', 'require')
    refuses(2, "--signature 'maybe' is not off, warn or require", 'inspect', out, '--signature', 'maybe')
    refuses(2, '--key NAME.key is missing', 'sign', out)
    assert fovea('sign', out, '--key', tmp + '/office.key') == (0, '', '')
    refuses(1, 'a key that is not trusted', 'verify', out, '--trusted', trusted)
    os.rename(tmp + '/office.pub', trusted + '/office.pub')
    rc, text, err = fovea('verify', out, '--trusted', trusted)
    assert rc == 0 and "the trusted key 'office'" in text, (text, err)
    rc, text, err = fovea('inspect', out, '--signature', 'require', '--trusted-keys', trusted)
    assert rc == 0 and err == '', err
    refuses(1, 'ONNX files are not signed', 'inspect', model, '--signature', 'require')
    with open(out, 'rb') as file:
        data = bytearray(file.read())
    data[-1] ^= 1
    refuses(1, "section 'provenance' is damaged", 'verify', write(tmp + '/damaged.fovea', bytes(data)))


tap.run(globals())
