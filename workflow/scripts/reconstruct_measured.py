import logging

import torch

from farfield.machine import jobs
from farfield.measured import chain

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, snakemake.config["device"]
    how = {"device": device, "overwrite": True, "say": logging.info}
    logging.info(chain.reconstruct_file(output=snakemake.output.cxi, **how, **params.asked))
