"""What foveapublish writes follows configs/schemas."""
import json
import os

from support import Process, missing, program
import tap


def validators():
    import jsonschema
    found = {}
    for name in ('frame', 'event'):
        with open(os.path.join(os.environ['FOVEA_SOURCE_DIR'], 'configs', 'schemas', 'fovea.%s-1.json' % name)) as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        found[schema['$id']] = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    return found


def test_frames_and_events_follow_their_schemas(tmp):
    try:
        import jsonschema  # noqa: F401
    except ImportError:
        return 'python3-jsonschema is not installed'
    if missing('gst-launch-1.0'):
        return missing('gst-launch-1.0')
    out, schemas, seen = os.path.join(tmp, 'out.jsonl'), validators(), set()
    model = os.path.join(os.environ['FOVEA_TEST_MODELS'], 'tiny.onnx')
    # The tiny model sees squares where the picture is bright.
    detector = ['file-path=' + out, 'include-empty=true', 'content=both', 'event-interval=200', 'event-timeout=100']
    for live, pattern in (('false', 'white'), ('true', 'blink')):
        args = [program('gst-launch-1.0'), 'videotestsrc', 'is-live=' + live, 'num-buffers=30', 'pattern=' + pattern, '!', 'video/x-raw,format=NV12,width=64,height=48,framerate=30/1', '!',
                'foveadetect', 'device=cpu', 'threads=1', 'model=' + model, '!', 'foveapublish', 'append=true', 'source=gate "7"', *detector, '!', 'fakesink']
        with Process(args, os.path.join(tmp, 'log')) as p:
            assert p.child.wait(60) == 0, p.text()
    with open(out) as f:
        lines = [json.loads(line) for line in f]
    for line in lines:
        schemas[line['schema']].validate(line)
        seen.add((line['schema'], line.get('event'), line['clock']))
        assert line['source'] == 'gate "7"' and len(line['model']['sha256']) == 64, line
    assert len({line['id'] for line in lines}) == len(lines), 'ids come twice'
    for kind in (None, 'new', 'update', 'end'):
        assert any(k == kind for _, k, _ in seen), 'no %s among %s' % (kind or 'frame', seen)
    assert any(clock == 'system' for _, _, clock in seen) and any(clock == 'none' for _, _, clock in seen), seen


def test_a_wrong_message_is_noticed(tmp):
    try:
        import jsonschema
    except ImportError:
        return 'python3-jsonschema is not installed'
    for schema in validators().values():
        try:
            schema.validate({'schema': schema.schema['$id'], 'source': 'gate'})
        except jsonschema.ValidationError:
            continue
        raise AssertionError('a message without its members passes ' + schema.schema['$id'])


if __name__ == '__main__':
    tap.run(globals())
