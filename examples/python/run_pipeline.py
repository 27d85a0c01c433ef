#!/usr/bin/env python3
"""Counts what the cameras of a YAML file see.

    ./run_pipeline.py cameras.yaml

Needs python3-gi and libfovea-pipeline with its introspection data (in a build tree: meson devenv -C build)."""
import collections
import json
import sys

import gi

gi.require_version('FoveaPipeline', '1.0')
from gi.repository import FoveaPipeline, GLib  # noqa: E402


def main(path):
    seen = collections.Counter()
    failed = []
    loop = GLib.MainLoop()

    def on_detections(pipeline, camera, timestamp, text):
        for item in json.loads(text)['objects']:
            seen[camera, item['detection']['label']] += 1

    def on_state(pipeline, camera, state, message):
        print(camera, state.value_nick, message, flush=True)
        if state == FoveaPipeline.CameraState.FAILED:
            failed.append(camera)

    try:
        pipeline = FoveaPipeline.Pipeline.new_from_file(path)
    except GLib.Error as error:
        print(error.message, file=sys.stderr)  # one line per problem, each with its place
        return 1
    pipeline.connect('detections', on_detections)
    pipeline.connect('state-changed', on_state)
    pipeline.connect('finished', lambda pipeline: loop.quit())
    pipeline.start()
    try:
        loop.run()
    except KeyboardInterrupt:
        pass
    pipeline.stop()
    for (camera, label), count in seen.most_common():
        print(f'{camera}: {label} {count}')
    return 1 if failed else 0


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit('usage: run_pipeline.py FILE.yaml')
    sys.exit(main(sys.argv[1]))
