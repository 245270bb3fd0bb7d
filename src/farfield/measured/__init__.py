"""Floor 6, measured data: files of detectors, and from a file of patterns to objects."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    [
        "application",
        "arrays",
        "chain",
        "cxi",
        "detector",
        "edf",
        "frames",
        "hdf5",
        "inspection",
        "preparation",
        "reading",
        "report",
        "scans",
        "tiff",
        "trust",
    ],
    submod_attrs={
        "application": ["apply"],
        "chain": ["inspect", "reconstruct_file"],
        "frames": ["Frames", "Geometry"],
        "preparation": ["Prepared", "prepare"],
        "reading": ["read", "read_image", "read_mask"],
    },
)
