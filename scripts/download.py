"""Fetch data sets: python scripts/download.py malaria [--from FOLDER|ZIP|ADDRESS]."""

import argparse

from tfcnn import datasets

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", nargs="+", help=f"of {', '.join(datasets.names())}")
parser.add_argument("--from", dest="mirror", help="a folder, zip or address that holds the data")
arguments = parser.parse_args()

for name in arguments.names:
    folder = datasets.download(name, mirror=arguments.mirror)
    source = datasets.open_named(name)
    print(f"{name}: {len(source.items):,} images in {folder}")
    for note in source.notes:
        print(f"  {note}")
