from farfield.machine import jobs, store
from farfield.physics import crystals, images
from farfield.study import datasets

SETS = {"train": ("training", 0), "validation": ("validation", 1), "test": ("test", 2)}

with jobs.job(snakemake.log[0]):
    section, name = snakemake.params.section, snakemake.wildcards.set
    which, size = name.removesuffix("-natural"), section["image_size"]
    settings, (key, digit) = section.get("images", section.get("crystals")), SETS[which]
    count, seed = settings[key], 10 * settings["seed"] + digit
    if "images" in section:
        objects = images.load(which, count, size, seed, settings["path"] or None, natural=name != which)
    else:
        how = {"kind": settings["kind"], "fill": settings["fill"], "defects": tuple(settings["defects"])}
        objects = crystals.simulate(count, size, seed=seed, **how)
    dataset = datasets.from_objects(objects, section["oversampling"])
    store.write_dataset(dataset, snakemake.output[0], section)
