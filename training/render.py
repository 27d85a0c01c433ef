#!/usr/bin/env python3
"""Renders street scenes with their true boxes: pictures to train on, or a clip with track numbers to measure detectors and trackers with.

    python3 training/render.py pictures --count 2000 --seed 1 --output build/street       # images/*.jpg and instances.json
    python3 training/render.py clip --seconds 12 --fps 15 --seed 7 --output street.mp4     # and street.json (COCO-video), street.txt (MOTChallenge)

The same seed gives the same pictures. Clips are encoded by gst-launch-1.0 (x264enc)."""
import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit.progress import Progress
from kit.render.actors import CLASSES
from kit.render.pictures import render_pictures
from kit.render.street import FAR, TRAFFIC, Street
from kit.truth import Coco, mot_lines


def traffic(text):
    given = dict(TRAFFIC)
    for pair in text.split(","):
        kind, _, often = pair.partition("=")
        if kind not in TRAFFIC or not often.isdigit() or int(often) > 1000:
            raise argparse.ArgumentTypeError(f"takes KIND=N,…, of {', '.join(TRAFFIC)}, N up to 1000, not '{pair}'")
        given[kind] = int(often)
    if not any(given.values()):
        raise argparse.ArgumentTypeError("somebody must drive: give one kind more than 0")
    return given


def street_of(options):
    return {"busy": options.busy, "reach": options.reach, "traffic": options.traffic}


def pictures(options):
    render_pictures(options.output, options.count, options.seed, options.width, options.height, options.jobs, **street_of(options))


def encoder(options):
    """A process that takes raw RGB frames and writes the clip."""
    caps = f"format=rgb width={options.width} height={options.height} framerate={options.fps}/1"
    line = f"fdsrc ! rawvideoparse {caps} ! videoconvert ! x264enc speed-preset=slow bitrate={options.bitrate} key-int-max={options.fps * 2} ! " \
           f"video/x-h264,profile=main ! h264parse ! mp4mux faststart=true ! filesink location={options.output}"
    try:
        return subprocess.Popen(["gst-launch-1.0", "-q", *line.split()], stdin=subprocess.PIPE)
    except FileNotFoundError:
        sys.exit("render.py: gst-launch-1.0 is not there: install gstreamer1.0-tools and gstreamer1.0-plugins-ugly")


def clip(options):
    street = Street(options.seed, options.width, options.height, **street_of(options))
    count, base = int(options.seconds * options.fps), os.path.splitext(options.output)[0]
    truth, lines, progress = Coco(CLASSES), [], Progress(count, "rendering")
    video = truth.video(os.path.basename(options.output), options.width, options.height, options.fps)
    process = encoder(options)
    for n, (picture, objects) in enumerate(street.frames(count, options.fps)):
        process.stdin.write(picture.tobytes())
        truth.picture(f"{os.path.basename(base)}/{n:06d}.jpg", options.width, options.height, objects, video, n)
        lines += mot_lines(n, objects, CLASSES)
        progress.step(n + 1)
    process.stdin.close()
    if process.wait() != 0:
        sys.exit(f"render.py: the encoder failed, {options.output} is not complete")
    truth.save(base + ".json")
    pathlib.Path(base + ".txt").write_text("".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run in (("pictures", pictures), ("clip", clip)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("--output", required=True, help="folder" if name == "pictures" else "clip, .mp4")
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--width", type=int, default=640)
        command.add_argument("--height", type=int, default=360)
        if name == "pictures":
            command.add_argument("--count", type=int, default=100)
            command.add_argument("--jobs", type=int, default=os.cpu_count())
        else:
            command.add_argument("--seconds", type=float, default=10)
            command.add_argument("--fps", type=int, default=15)
            command.add_argument("--bitrate", type=int, default=600, help="kbit/s")
        command.add_argument("--busy", type=float, default=1.0, help="how many people and vehicles, against the usual")
        command.add_argument("--reach", type=float, default=FAR, metavar="METRES", help="people and vehicles farther from the camera are left out (default: %(default)g)")
        command.add_argument("--traffic", type=traffic, default=TRAFFIC, metavar="KIND=N,…", help=f"how often each kind drives (default: {','.join(f'{k}={n}' for k, n in TRAFFIC.items())})")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
