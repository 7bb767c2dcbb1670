"""Every benchmark by the name that the command line knows."""

from __future__ import annotations

from typing import Any

from benchmarks import (
    chains,
    elementwise,
    growth,
    hessian,
    importing,
    limits,
    memory,
    scaling,
    training,
    two_layer_net,
)
from benchmarks.race import Race


def by_name(*races: Race) -> dict[str, Race]:
    """Return races by their names."""
    return {race.name: race for race in races}


RACES = by_name(
    chains.SCALAR_CHAIN,
    chains.SMALL_OP_CHAIN,
    two_layer_net.FLOAT32,
    two_layer_net.FLOAT64,
    *training.INFERENCE,
    *training.TRAINING,
    elementwise.ELEMENTWISE,
    hessian.HESSIAN,
)
REMEMBERED = by_name(*training.TRAINING, elementwise.ELEMENTWISE, memory.DEEP_NET)
WORKLOADS: dict[str, Any] = {
    **RACES,
    "limits": limits.Limits(RACES),
    "memory": memory.Memory(REMEMBERED),
    "scaling": scaling.Scaling(),
    "growth": growth.Growth(),
    "import": importing.Importing(),
}
# What a contestant may be asked for by name.
WORKS = (
    RACES | REMEMBERED | by_name(*(race for races in scaling.POINTS.values() for race in races.values())) | limits.WORKS
)
