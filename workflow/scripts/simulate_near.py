from farfield.machine import jobs, store
from farfield.physics.near_field import NearField
from farfield.study import holograms

SETS = {"train": "training", "validation": "validation"}

with jobs.job(snakemake.log[0]):
    section, name = snakemake.params.section, snakemake.wildcards.set
    (kind,) = {"crystals", "images", "waves"} & {*section}
    which = name if name in SETS else "test"
    count = section[kind][SETS.get(name, "test")]
    objects = holograms.simulate(kind, which, count, section[kind], section["image_size"], section["height"])
    store.write_dataset(holograms.dataset(objects, NearField(**section["near_field"])), snakemake.output[0], section)
