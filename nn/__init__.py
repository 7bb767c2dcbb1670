"""Neural networks on the engine of `autograd`: layers, losses and models."""

from nn import _siblings

_siblings.check("autograd")
