"""The networks: backbones that turn scaled far-field amplitudes into objects.

A backbone is a `torch.nn.Module` made by ``factory(image_size, oversampling, **options)``. It maps amplitudes
of shape (batch, M, M), M = oversampling · image_size, to real and imaginary parts of shape (batch, 2, N, N).
An attribute ``memory_format`` tells how torch should lay out its weights to train fast; without one, as usual. An
attribute ``inputs`` tells what it must be given (``amplitude``: |F| as it is), where that is not the config's choice.
To add one, write its file beside these and give it a line in `registry.NETWORKS`.
"""

from farfield.learning.networks.making import create, options
from farfield.learning.networks.registry import NETWORKS
from farfield.learning.networks.retriever import load

__all__ = ["NETWORKS", "create", "load", "options"]
