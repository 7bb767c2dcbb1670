"""Cases of convolution and pooling: every option, one to three spatial axes, sizes of one and empty batches."""

from autograd import ops
from tests.cases import Case, distinct, normal

# x, weight, with a bias, options
CONVOLUTIONS = [
    ((2, 3, 5), (4, 3, 3), True, {}),
    ((2, 2, 6), (2, 2, 2), True, {"stride": 2, "padding": 1}),
    ((2, 2, 6), (3, 2, 2), False, {"padding": "same", "dilation": 3}),
    ((2, 2, 4, 5), (3, 2, 3, 2), True, {}),
    ((2, 2, 4, 5), (3, 2, 3, 2), False, {"padding": "valid"}),
    ((2, 2, 4, 5), (3, 2, 4, 3), True, {"padding": "same"}),
    ((2, 2, 5, 4), (3, 2, 2, 2), True, {"stride": (2, 1), "padding": (0, 1)}),
    ((1, 2, 5, 6), (2, 2, 2, 3), True, {"stride": (1, 3), "padding": (1, 0), "dilation": (2, 1)}),
    ((2, 4, 3, 3), (6, 2, 2, 2), True, {"groups": 2, "padding": 1}),
    ((2, 3, 4, 4), (3, 1, 3, 3), False, {"groups": 3, "stride": 2, "padding": 1}),
    ((1, 20, 3, 3), (2, 20, 2, 2), True, {"padding": 1}),  # channels enough for a product a tap
    ((2, 20, 4, 2), (1, 20, 2, 1), False, {"dilation": (2, 1), "padding": (3, 0)}),  # padding beyond the reach
    ((1, 1, 1, 1), (1, 1, 1, 1), True, {}),
    ((0, 2, 3, 3), (2, 2, 2, 2), True, {}),
    ((0, 2, 3, 3), (2, 2, 2, 2), True, {"stride": 2}),
    ((1, 2, 3, 3, 2), (2, 2, 2, 2, 1), True, {"padding": 1, "stride": (1, 2, 1)}),
]
# x, weight (C, O/groups, *kernel), with a bias, options
TRANSPOSED = [
    ((2, 3, 4), (3, 2, 3), True, {}),
    ((2, 2, 3), (2, 3, 2), False, {"stride": 3, "output_padding": 2}),
    ((2, 2, 3, 2), (2, 3, 2, 3), True, {"padding": (0, 1)}),
    ((2, 2, 3, 2), (2, 3, 3, 2), True, {"stride": (2, 1), "padding": 1, "output_padding": (1, 0)}),
    ((1, 4, 2, 3), (4, 2, 2, 2), True, {"groups": 2, "dilation": (1, 2), "stride": 2}),
    ((2, 2, 3, 3), (2, 2, 3, 3), False, {"padding": 2}),
    ((1, 2, 3, 3), (2, 2, 2, 2), False, {"dilation": 2, "output_padding": 1}),
    ((0, 2, 3, 3), (2, 2, 2, 2), True, {"stride": 2}),
    ((1, 1, 1, 1), (1, 1, 1, 1), True, {}),
    ((1, 2, 2, 2, 1), (2, 1, 2, 1, 2), True, {"stride": (1, 2, 1)}),
]
# x, options
MAX_POOLS = [
    ((2, 3, 6), {"kernel_size": 2}),
    ((2, 3, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((2, 2, 4, 6), {"kernel_size": 2}),
    ((2, 2, 4, 6), {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 1)}),
    ((2, 2, 5, 6), {"kernel_size": 2, "ceil_mode": True}),
    ((1, 2, 6, 7), {"kernel_size": 2, "dilation": (2, 3), "stride": 1}),
    ((1, 1, 17, 17), {"kernel_size": 17}),  # more places than a byte can tell apart
    ((1, 1, 1, 1), {"kernel_size": 1}),
    ((0, 2, 4, 4), {"kernel_size": 2}),
    ((1, 2, 4, 2, 3), {"kernel_size": (2, 1, 3), "stride": 1}),
]
AVG_POOLS = [
    ((2, 3, 6), {"kernel_size": 2}),
    ((2, 3, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((2, 2, 4, 6), {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 1)}),
    ((2, 2, 4, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ((2, 2, 5, 6), {"kernel_size": 2, "ceil_mode": True, "padding": 1}),
    ((1, 1, 1, 1), {"kernel_size": 1}),
    ((0, 2, 4, 4), {"kernel_size": 2}),
    ((1, 2, 4, 2, 3), {"kernel_size": (2, 1, 3), "stride": 1}),
]


def case(name, inputs, options):
    operation = getattr(ops, name)
    shapes = " ".join(str(x.shape).replace(" ", "") for x in inputs)
    said = " ".join(f"{key}={value}".replace(" ", "") for key, value in options.items())
    return Case(name, lambda *given: operation(*given, **options), inputs, f"{shapes} {said}".strip())


def with_weights(name, x, weight, has_bias, options):
    out = weight[1] * options.get("groups", 1) if name == "convolution_transpose" else weight[0]
    bias = (normal(out, seed=3),) if has_bias else ()
    return case(name, (normal(*x, seed=1), normal(*weight, seed=2), *bias), options)


CASES = [
    *(with_weights("convolution", *given) for given in CONVOLUTIONS),
    *(with_weights("convolution_transpose", *given) for given in TRANSPOSED),
    *(case("max_pool", (distinct(*x),), options) for x, options in MAX_POOLS),
    *(case("avg_pool", (normal(*x),), options) for x, options in AVG_POOLS),
]
