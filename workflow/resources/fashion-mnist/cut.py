"""How these files were cut from FashionMNIST: python cut.py /usr/share/datasets/fashion-mnist.

The first 45 images of each class of the training file and the first 15 of the test file, class 0, 1, … 9, 0, 1, …, so
that any ten that follow each other are of ten classes.
"""

import gzip
import sys
from pathlib import Path

import numpy as np

for name, each in (("train", 45), ("t10k", 15)):
    source = Path(sys.argv[1])
    labels = np.frombuffer(gzip.decompress((source / f"{name}-labels-idx1-ubyte.gz").read_bytes()), np.uint8)[8:]
    content = gzip.decompress((source / f"{name}-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(content, np.uint8)[16:].reshape(-1, 28, 28)
    chosen = np.stack([np.flatnonzero(labels == label)[:each] for label in range(10)], axis=1).ravel()
    cut = content[:4] + len(chosen).to_bytes(4, "big") + content[8:16] + images[chosen].tobytes()
    Path(__file__).with_name(f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(cut, mtime=0))
