from farfield.machine import jobs, store
from farfield.study import datasets, holograms

SETS = {"train": "training", "validation": "validation"}

with jobs.job(snakemake.log[0]):
    section, name = snakemake.params.section, snakemake.wildcards.set
    (kind,) = {"crystals", "images", "waves"} & {*section}
    which = name if name in SETS else "test"
    count = section[kind][SETS.get(name, "test")]
    objects = holograms.simulate(kind, which, count, section[kind], section["image_size"], section["height"])
    store.write_dataset(holograms.dataset(objects, datasets.near_field(section)), snakemake.output[0], section)
