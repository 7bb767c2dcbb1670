"""Every benchmark by the name that the command line knows."""

from __future__ import annotations

from typing import Any

from benchmarks import chains, growth, importing, memory, two_layer_net

WORKLOADS: dict[str, Any] = {
    "scalar-chain": chains.SCALAR_CHAIN,
    "small-op-chain": chains.SMALL_OP_CHAIN,
    "two-layer-net-float32": two_layer_net.FLOAT32,
    "two-layer-net-float64": two_layer_net.FLOAT64,
    "growth": growth.Growth(),
    "memory": memory.Memory(),
    "import": importing.Importing(),
}
