"""Floor 1, the machine: shapes of arrays, compiled passes, memory, devices, jobs, stores and their provenance."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    ["attempts", "devices", "graphs", "heap", "jobs", "passes", "provenance", "shapes", "store"],
    submod_attrs={
        "store": ["StoreError", "open_dataset", "write_dataset"],
    },
)
