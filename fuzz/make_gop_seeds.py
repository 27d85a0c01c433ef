#!/usr/bin/env python3
"""Writes the seeds of the GOP fuzz target: fuzz/make_gop_seeds.py [DIRECTORY]. The layout is that of plugins/encoded/gop.h."""
import struct
import sys
from pathlib import Path

NONE = -(1 << 63)


def field(kind, name, value):
    return bytes([kind, len(name)]) + name.encode() + struct.pack("<I", len(value)) + value


def caps_of(media, *fields):
    return bytes([len(media)]) + media.encode() + b"".join(fields)


WIDTH = field(1, "width", struct.pack("<i", 160))
H264 = caps_of("video/x-h264", field(2, "stream-format", b"avc"), field(5, "codec_data", bytes.fromhex("0164000affe1001a")), WIDTH, field(3, "framerate", struct.pack("<ii", 25, 1)),
               field(4, "parsed", b"\1"), field(7, "bit-depth-luma", struct.pack("<I", 8)), field(6, "streamheader", struct.pack("<I", 2) + b"ab" + struct.pack("<I", 0)))


def gop(frames, caps=H264, part=0, flags=0, count=None, magic=b"FVGP", version=1, epoch=1_700_000_000_000_000_000, tail=b"", caps_size=None):
    head = magic + struct.pack("<HHIIIIqqq", version, flags, part, len(frames) if count is None else count, len(caps) if caps_size is None else caps_size, 0, 0, 80_000_000, epoch)
    table = b"".join(struct.pack("<qqqII", pts, dts, duration, bits, len(data) if size is None else size) for pts, dts, duration, bits, data, size in frames)
    return head + caps + table + b"".join(frame[4] for frame in frames) + tail


def frame(i, data=b"\0\0\0\1e", pts=None, dts=None, bits=None, size=None):
    return (i * 40_000_000 if pts is None else pts, i * 40_000_000 - 40_000_000 if dts is None else dts, 40_000_000, (i > 0) if bits is None else bits, data, size)


SEEDS = {
    "whole": gop([frame(0), frame(1), frame(2)]),
    "part": gop([frame(1), frame(2)], part=3, flags=1),
    "no-times": gop([frame(0, dts=NONE), frame(1, pts=NONE)]),
    "neither-time": gop([frame(0, pts=NONE, dts=NONE)]),
    "late": gop([frame(0, pts=(1 << 63) - 1)]),
    "empty-frame": gop([frame(0, data=b"")]),
    "all-flags": gop([frame(0, bits=0xFFFFFFFF)]),
    "no-frames": gop([]),
    "many-frames": gop([frame(0)], count=0xFFFFFFFF),
    "too-large": gop([frame(0, size=0xFFFFFFFF)]),
    "behind": gop([frame(0)], tail=b"more"),
    "version": gop([frame(0)], version=2),
    "magic": gop([frame(0)], magic=b"fvgp"),
    "caps-cut": gop([frame(0)], caps_size=20),
    "caps-huge": gop([frame(0)], caps_size=0xFFFFFFFF),
    "caps-raw": gop([frame(0)], caps=caps_of("video/x-raw", WIDTH)),
    "caps-none": gop([frame(0)], caps=b""),
    "caps-bare": gop([frame(0)], caps=caps_of("video/x-vp8")),
    "caps-twice": gop([frame(0)], caps=caps_of("video/x-h264", WIDTH, WIDTH)),
    "caps-kind": gop([frame(0)], caps=caps_of("video/x-h264", field(9, "width", b"1234"))),
    "caps-name": gop([frame(0)], caps=caps_of("video/x-h264", field(1, "a,b=(x)", b"1234"))),
    "caps-nameless": gop([frame(0)], caps=caps_of("video/x-h264", field(1, "", b"1234"))),
    "caps-by-zero": gop([frame(0)], caps=caps_of("video/x-h264", field(3, "framerate", struct.pack("<ii", 1, 0)))),
    "caps-least": gop([frame(0)], caps=caps_of("video/x-h264", field(3, "framerate", struct.pack("<Ii", 1 << 31, 1)))),
    "caps-short-int": gop([frame(0)], caps=caps_of("video/x-h264", field(1, "width", b"12"))),
    "caps-bytes": gop([frame(0)], caps=caps_of("video/x-h264", field(2, "profile", b"\xff\xfe"))),
    "caps-nul": gop([frame(0)], caps=caps_of("video/x-h264", field(2, "profile", b"a\0b"))),
    "caps-array-cut": gop([frame(0)], caps=caps_of("video/x-h264", field(6, "streamheader", struct.pack("<I", 99) + b"ab"))),
    "jpeg": gop([frame(0), frame(1, bits=0)], caps=caps_of("image/jpeg", WIDTH)),
    "epoch": gop([frame(0)], epoch=NONE),
    "cut": gop([frame(0), frame(1)])[:-7],
    "head": gop([frame(0)])[:48],
    "empty": b"",
}

if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "seeds/gop")
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (folder / f"{name}.gop").write_bytes(data)
