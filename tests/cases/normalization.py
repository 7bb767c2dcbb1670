"""Cases of normalisation: the axes of batch, layer, group and instance norm, with and without weight and bias."""

from autograd import ops
from tests.cases import Case, normal

# x, weight, bias, axes
GIVEN = [
    ((5, 3), None, None, 0),
    ((5, 3), (3,), (3,), 0),
    ((5, 3), (3,), (3,), -1),
    ((5, 3), (3,), None, 1),
    ((5, 3), None, (3,), -1),
    ((4, 3, 5), (3, 1), (3, 1), (0, 2)),
    ((4, 3, 5), (3, 5), (3, 5), (1, 2)),
    ((4, 3, 5), (5,), (3, 1), (-1, -2)),
    ((2, 3, 2, 4), (3, 1, 1), (3, 1, 1), (0, 2, 3)),
    ((2, 3, 2, 4), (1, 3, 1, 1), (1,), (2, 3)),
    ((2, 2, 3, 2, 2), (2, 3, 1, 1), (2, 3, 1, 1), (2, 3, 4)),
    ((2, 3, 4), (4,), (4,), (0, 1, 2)),
    ((2, 3, 4), (2, 1, 1), (2, 3, 4), (0,)),
    ((1, 4), (4,), (4,), 1),
    ((6,), (6,), (1,), 0),
    ((0, 3), (3,), (3,), 1),
    ((0, 3), (3,), (3,), 0),
]


def case(x, weight, bias, axes):
    label = f"{x} {weight} {bias} axes={axes}".replace(" ", "").replace("axes", " axes")
    parts = [("weight", weight, 2), ("bias", bias, 3)]
    names = [name for name, shape, _ in parts if shape is not None]
    given = [normal(*shape, seed=seed) for _, shape, seed in parts if shape is not None]

    def function(array, *arrays):
        return ops.normalize(array, axes=axes, eps=1e-3, **dict(zip(names, arrays, strict=True))).out

    return Case("normalize", function, (normal(*x, seed=1), *given), label)


CASES = [case(*given) for given in GIVEN]
