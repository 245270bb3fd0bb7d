from farfield.machine import jobs, store
from farfield.study import datasets

with jobs.job(snakemake.log[0]):
    sections = snakemake.params.sections
    dataset = store.open_dataset(snakemake.input.test, sections["test"])
    noisy = datasets.add_noise(dataset, **sections["noisy"]["noise"])
    store.write_dataset(noisy, snakemake.output[0], sections["noisy"])
