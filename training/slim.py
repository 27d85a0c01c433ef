#!/usr/bin/env python3
"""Makes of a checkpoint the small one that is given away with a model, for others to go on from: weights in binary16, no more of the recipe than is needed.

    python3 training/slim.py build/training/street/best.pt models/fovea-street/fovea-street.pt"""
import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit import checkpoint


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="best.pt of a run")
    parser.add_argument("output", help="file that is made, .pt")
    options = parser.parse_args()
    checkpoint.slim(options.checkpoint, options.output)
    print(f"{options.output}: {os.path.getsize(options.output)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
