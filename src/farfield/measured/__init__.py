"""Floor 6, measured data: files of detectors, and from a file of patterns to objects."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    [
        "application",
        "arrays",
        "chain",
        "crystal",
        "cuts",
        "cxi",
        "detector",
        "edf",
        "frames",
        "gathering",
        "geometry",
        "hdf5",
        "inspection",
        "instrument",
        "loading",
        "preparation",
        "reading",
        "report",
        "scans",
        "spec",
        "tiff",
        "trust",
        "volumes",
        "vti",
    ],
    submod_attrs={
        "application": ["apply"],
        "chain": ["inspect", "reconstruct_file"],
        "crystal": ["Crystal", "in_laboratory"],
        "frames": ["Frames", "Geometry", "Scan"],
        "geometry": ["Diffractometer", "Space", "rocking", "space"],
        "preparation": ["Prepared", "prepare"],
        "reading": ["read", "read_image", "read_mask", "read_numbers", "read_scan"],
        "volumes": ["prepare_scan"],
    },
)
