"""The works written by hand in NumPy, as one would for this one net: what an engine of NumPy is held against.

Forward, backward and step are derived on paper. Arrays are made once and written into; what can be done in one pass, or
while a block is in cache, is. Matrix products have the threads of OpenBLAS, as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.by_hand import functions, nets
from benchmarks.race import Work

WORKS: dict[str, Callable[..., Work]] = {
    "mlp-adam": nets.mlp,
    "lenet": nets.lenet,
    "vgg": nets.vgg,
    "resnet20": nets.resnet20,
    "lstm": nets.lstm,
    "gru": nets.gru,
    "word2vec": nets.word2vec,
    "transformer": nets.transformer,
    "elementwise": functions.elementwise,
    "hessian": functions.hessian,
    "mlp-inference-1": nets.mlp_inference,
    "mlp-inference-256": nets.mlp_inference,
    "lenet-inference-1": nets.lenet_inference,
    "lenet-inference-256": nets.lenet_inference,
}
