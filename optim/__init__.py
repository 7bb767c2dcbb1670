"""Optimisers, schedules and the training loop for what `autograd` computes gradients of."""

from nn import _siblings

_siblings.check("autograd")
