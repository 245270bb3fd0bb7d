"""Learned and iterative far-field phase retrieval: the symmetry-breaking study, end to end."""

__version__ = "0.1.0"
