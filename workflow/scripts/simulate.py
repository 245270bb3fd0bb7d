from farfield.machine import jobs, store
from farfield.physics import crystals
from farfield.study import datasets

SETS = {"train": ("training", 0), "validation": ("validation", 1), "test": ("test", 2)}

with jobs.job(snakemake.log[0]):
    section = snakemake.params.section
    settings, (key, digit) = section["crystals"], SETS[snakemake.wildcards.set]
    objects = crystals.simulate(
        settings[key],
        section["image_size"],
        seed=10 * settings["seed"] + digit,
        fill=settings["fill"],
        defects=tuple(settings["defects"]),
    )
    dataset = datasets.from_objects(objects, section["oversampling"])
    store.write_dataset(dataset, snakemake.output[0], section)
