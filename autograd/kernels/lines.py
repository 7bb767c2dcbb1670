"""Convolution over lines of pixels, channels last: matrix products of the images as they lie, no windows copied.

The pixels of a few images are laid out with their padding one after the other, each as its run of channels: line after
line, where the lines of all images that share a row come together. A kernel of width k reads, at each pixel, k * C
numbers in a row, and what it reads at every k-th pixel is a matrix as it lies in memory: k such matrices, a pixel
apart, are all windows. The next row of the kernel reads the same matrices some lines further on. So

    out = sum, over the rows i of the kernel, of windows(i rows further on) @ weight[i]

copies an image once, for its padding. Neighbouring lines share theirs. Where a window reaches over the end of its line
the result means nothing; it is computed with the others (one pixel in W + 1 for a 3x3 kernel) and dropped.

The rows of a kernel go by minimal filtering (`filtering`), so that what is laid out are sums of rows, as many as there
are products, and the results are sums of these. As matrix products they take a quarter of the calls of NumPy's sums:
after each of those, two threads may wait for one another. A small VGG takes 0.95 of the time so.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from autograd.kernels import products
from autograd.kernels.filtering import Rows, combine, filtering_of, parts
from autograd.kernels.layout import by_pixel
from autograd.kernels.moments import is_finite
from autograd.kernels.windows import Sizes, Windows
from autograd.memory import aligned
from autograd.threads import MOST, WORTH, crew, share

Array = Any
MOST_LEFT: Final = 1 << 24  # bytes of room that one convolution leaves to the next
BLOCK: Final = 1 << 20  # bytes of padded images at a time; a ResNet-20 takes 0.96 of the time with half as much


class Plan:
    """How a convolution goes over `images` images and `rows` rows of results at a time.

    In memory a group is what results that are computed together see, one row or sums of several; a line is one group of
    one image, `pitch` pixels of which those at the end are padding:

        lead | group 0: image 0, image 1, ... | group 1: image 0, image 1, ... | ... | room for the last windows

    `laid` groups lie there; `groups` of them have results. With three axes, `middle` stands between groups and images,
    and `shifts` are how far on each tap along it reads. A run is the `width` pixels that a row of the kernel sees: the
    runs from the first, second, ... pixel on are `width` matrices. Of each, matrix products take `steps` parts.

    Matrix products take `forward` rows of a matrix at a time, for the gradient of the filters `back`; 0 is for all.
    """

    def __init__(
        self, windows: Windows, channels: int, out: int, dtype: Any, images: int, rows: int, forward: int, back: int
    ) -> None:
        self.windows, self.channels, self.out, self.dtype, self.images = windows, channels, out, dtype, images
        self.filtering = filtering_of(windows).in_dtype(dtype)
        self.width = windows.kernel[-1]
        self.groups = -(-rows // self.filtering.rows)  # of rows of results that are computed together
        self.pitch = windows.pitch
        self.middle = windows.padded[1:-1]
        self.place, (_, *across) = windows.inside()
        self.part = (..., slice(None), *across[1:])  # of the images; their rows are chosen when they are laid out
        line = images * math.prod(self.middle) * self.pitch  # pixels of all lines that share a row
        self.shifts = [0]  # how many pixels on each tap along a middle axis reads
        if self.middle:
            self.shifts = [i * windows.dilation[1] * images * self.pitch for i in range(windows.kernel[1])]
        pixels = self.groups * line
        self.steps = even_steps(-(-pixels // self.width), forward)
        self.steps_back = even_steps(pixels, back)
        self.results = max(math.prod(self.steps) * self.width, math.prod(self.steps_back))  # pixels
        self.laid = self.groups if self.filtering.inputs is not None else self.groups + windows.reach[0] - 1  # rows
        self.pixels = self.laid * line
        self.lead = max(windows.before[-1], 0)
        self.kernel_first = (*range(2, len(windows.kernel) + 2), 1, 0)  # axes of a weight (O, C, *kernel)
        self.filters = self.filtering.products, len(self.shifts), 1, 1, self.width * channels, out
        self.room = self.results - pixels + self.width + self.shifts[-1]  # what the last windows read beyond


def even_steps(count: int, most: int) -> tuple[int, int]:
    """Return (steps, size of a step), that many at most, which `count` fit in; 0 is for a single step."""
    steps = -(-count // (most or count))
    return steps, -(-count // steps)


class Lines:
    """The room for a convolution as planned: images laid out as the filters are multiplied with them, and the products.

    It is used again, by way of `prepared`. Padding stays zero, and so does what lies before and behind. Products mean
    nothing from one use to the next. Views are made once: two threads at work wait for what Python does meanwhile.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.filtering, dtype = plan, plan.filtering, plan.dtype
        count, channels, windows = self.filtering.products, plan.channels, plan.windows
        planes = 1 if self.filtering.inputs is None else count
        numbers, lead = plan.pixels * channels, plan.lead * channels
        self.inputs = aligned((planes, lead + numbers + plan.room * channels), dtype)
        self.inputs[...] = 0
        laid = self.inputs[:, lead : lead + numbers]
        laid = laid.reshape(planes, plan.laid, *plan.middle, plan.images, plan.pitch * channels)
        width = (plan.part[-1].stop - plan.part[-1].start) * channels
        self.inside = by_image(laid[(..., *plan.place[2:-1], slice(None), slice(width))])
        apart = self.inputs.shape[1] if planes > 1 else numbers // plan.laid * windows.dilation[0]
        self.windows = [self.matrices(shift, apart) for shift in plan.shifts]
        self.shifted = [self.matrices_back(shift, apart) for shift in plan.shifts]
        # Results are sums of products, and of the bias, which lies behind these.
        self.found = aligned((count + 1, plan.results * plan.out), dtype)
        runs, back = math.prod(plan.steps) * plan.width * plan.out, math.prod(plan.steps_back) * plan.out
        by_run = self.found[:-1, :runs].reshape(count, *plan.steps, plan.width, plan.out)
        self.products = by_run.transpose(0, 3, 1, 2, 4)  # (products, width, steps, runs, O)
        gradients = self.found[: plan.filtering.sources, :back].reshape(-1, 1, *plan.steps_back, plan.out)
        self.gradients = np.broadcast_to(gradients, (count, *gradients.shape[1:]))
        shape = (plan.groups, *plan.middle, plan.images, plan.pitch * plan.out)
        lines = self.found[:, : math.prod(shape)].reshape(-1, *shape)
        width = windows.out[-1] * plan.out
        self.terms = by_image(lines[(..., *map(slice, windows.out[1:-1]), slice(None), slice(width))])
        self.spot: Any = None

    def matrices(self, shift: int, apart: int) -> Array:
        """Return the windows as matrices (products, width, steps, runs, width * C) of shared memory."""
        (steps, step), width = self.plan.steps, self.plan.width
        pixel = self.plan.channels * self.inputs.itemsize
        run = width * pixel
        shape = (self.filtering.products, width, steps, step, width * self.plan.channels)
        strides = (apart * self.inputs.itemsize, pixel, step * run, run, self.inputs.itemsize)
        return np.ndarray(shape, self.inputs.dtype, self.inputs, shift * pixel, strides)

    def matrices_back(self, shift: int, apart: int) -> Array:
        """Return what each column of a kernel sees as matrices (products, width, steps, C, pixels)."""
        (steps, step), channels, item = self.plan.steps_back, self.plan.channels, self.inputs.itemsize
        pixel = channels * item
        shape = (self.filtering.products, self.plan.width, steps, channels, step)
        strides = (apart * item, pixel, step * pixel, item, pixel)
        return np.ndarray(shape, self.inputs.dtype, self.inputs, shift * pixel, strides)

    def move(self, some: slice, band: slice, terms: int) -> bool:
        """Go to some images and a band of rows of results, as `planned` has them, which are sums of so many terms.

        Returns whether sizes are new.
        """
        spot = some.stop - some.start, band, terms
        if spot == self.spot:
            return False
        self.spot = spot
        rows, windows = self.filtering.rows, self.plan.windows
        first = band.start - windows.before[0]  # of the rows of the images that are read
        starts = range(first, first + self.plan.laid * rows, rows)
        self.reads = parts(self.inside[: spot[0]], starts, self.filtering.span, windows.size[0])
        found = self.terms[: spot[0], ..., :terms, :]
        self.writes = parts(found, range(band.start, band.stop, rows), rows, band.stop)
        return True

    def load(self, images: Rows, some: slice) -> None:
        """Lay out what the filters are multiplied with."""
        matrix = self.filtering.inputs
        for part in self.reads:
            if matrix is None:
                part.place[...] = images.at(some, part)
            else:
                combine(matrix[:, part.cut], images.at(some, part), part.place)

    def multiply(self, filters: list[Array]) -> None:
        """Write the products: of the filters for each shift with what `load` left."""
        np.matmul(self.windows[0], filters[0], out=self.products)
        for windows, matrices in zip(self.windows[1:], filters[1:], strict=True):
            self.products += windows @ matrices

    def multiply_back(self) -> Array:
        """Return the gradient of the filters from that of the products, which lies in their place.

        Sums over all pixels, for each column of the kernel, leave fewer parts of them to be added up than sums over the
        runs of each of the shifted windows: 0.8 of the time for 64 channels.
        """
        return np.stack([(shifted @ self.gradients).sum(axis=2) for shifted in self.shifted], axis=1)


SPARE: Final[deque[Lines]] = deque(maxlen=MOST)  # rooms that nobody uses: of the last convolution, one for each thread


def by_image(lines: Array) -> Array:
    """Return lines (planes, groups, *middle, images, numbers) as (images, *middle, groups, planes, numbers)."""
    last = lines.ndim - 1
    return lines.transpose(last - 1, *range(2, last - 1), 1, 0, last)


def planned(windows: Windows, n: int, channels: int, out: int, dtype: Any) -> tuple[Plan, list[tuple[slice, slice]]]:
    """Return how some images and rows of results go at a time, so that they fit a cache, and the places of both.

    There are as many for each thread, where there is enough work for threads.
    """
    forward = products.rows_at_a_time(windows.kernel[-1] * channels, out)
    back = products.rows_at_a_time(channels, out)
    return remembered(windows, n, channels, out, dtype, crew(MOST), WORTH, forward, back, BLOCK)


@functools.lru_cache(maxsize=256)  # a tenth of a small convolution
def remembered(
    windows: Windows,
    n: int,
    channels: int,
    out: int,
    dtype: np.dtype[Any],
    threads: int,
    worth: int,
    forward: int,
    back: int,
    block: int,
) -> tuple[Plan, list[tuple[slice, slice]]]:
    work = n * math.prod(windows.out) * math.prod(windows.kernel) * channels * out
    threads = max(1, min(threads, work // worth))
    image = math.prod(windows.padded) * max(channels, out) * dtype.itemsize
    bands = min(-(-image // block), windows.out[0])
    together = filtering_of(windows).rows
    rows = -(-windows.out[0] // bands)
    rows = -(-rows // together) * together
    images = 1
    if bands == 1:
        count = -(-n * image // block)
        images = max(1, -(-n // max(1, -(-count // threads) * threads)))
    starts = itertools.product(range(0, n, images), range(0, windows.out[0], rows))
    plan = Plan(windows, channels, out, dtype, images, rows, forward, back)
    ends = windows.out[0]
    return plan, [(slice(a, min(a + images, n)), slice(b, min(b + rows, ends))) for a, b in starts]


def prepared(plan: Plan) -> Lines:
    """Return room for a convolution, new if an earlier one of the same plan has left none.

    Room of other plans that is met on the way is freed. A ResNet-20, which has several convolutions alike in a row,
    takes 0.96 of the time so, and 0.94 of that since their arrays begin at lines of the cache.
    """
    while SPARE:
        try:
            lines = SPARE.pop()
        except IndexError:  # another thread was quicker
            break
        if lines.plan is plan:
            return lines
        del lines  # before the new one takes memory
    return Lines(plan)


def leave(lines: Lines) -> None:
    """Leave room to the next convolution, unless it is so much that it should not stay in the process."""
    if lines.inputs.nbytes + lines.found.nbytes <= MOST_LEFT:
        SPARE.append(lines)


class Task(NamedTuple):
    """Work on so many `places` of some images and rows: `part` does that of places[start:stop]."""

    part: Callable[[int, int], Any]
    places: int


def correlating(x: Array, weight: Array, bias: Array, windows: Windows, out: Array) -> Task:
    """Return the task to write the convolution to `out`; its parts return whether all went well."""
    count, channels = weight.shape[:2]
    plan, places = planned(windows, len(x), channels, count, out.dtype)
    filtering = plan.filtering
    taps = weight.transpose(plan.kernel_first).reshape(windows.kernel[0], -1)
    with np.errstate(all="ignore"):  # an Inf among them will show in the results
        filters = (filtering.filters @ taps).reshape(plan.filters).astype(out.dtype, copy=False)
    by_shift = [filters[:, i] for i in range(len(plan.shifts))]
    results = filtering.results
    if bias is not None:
        results = np.concatenate([results, np.ones((filtering.rows, 1), out.dtype)], axis=1)
    pixels, terms = by_pixel(out), results.shape[1]
    sent = Rows(pixels, filtering.rows, out.dtype)

    def part(start: int, stop: int) -> bool:
        lines, finite = prepared(plan), True
        images = Rows(by_pixel(x[plan.part]), filtering.span, out.dtype)
        if bias is not None:
            lines.terms[..., -1, :] = np.tile(bias, windows.out[-1])
        with np.errstate(all="ignore"):  # what means nothing may overflow
            for some, band in places[start:stop]:
                lines.move(some, band, terms)
                lines.load(images, some)
                lines.multiply(by_shift)
                for found in lines.writes:
                    combine(results[found.cut], found.place, sent.at(some, found))
                finite = finite and is_finite(pixels[some, band])
        leave(lines)
        return finite

    return Task(part, len(places))


def adding_up(x: Array, g: Array, windows: Windows, shape: Sizes, dtype: Any) -> Task:
    """Return the task to add up the gradient of the filters; its parts return arrays whose sum it is."""
    count, channels = shape[:2]
    plan, places = planned(windows, len(x), channels, count, np.dtype(dtype))
    filtering = plan.filtering
    to_terms = filtering.results.T[: filtering.sources]

    def part(start: int, stop: int) -> Array:
        lines, total = prepared(plan), np.zeros(1, dtype)
        images, given = Rows(by_pixel(x[plan.part]), filtering.span, dtype), Rows(by_pixel(g), filtering.rows, dtype)
        lines.found[...] = 0  # once: what means nothing adds nothing
        with np.errstate(all="ignore"):
            for some, band in places[start:stop]:
                if lines.move(some, band, len(to_terms)):
                    lines.found[...] = 0
                lines.load(images, some)
                for sent in lines.writes:
                    combine(to_terms[:, sent.cut], given.at(some, sent), sent.place)
                total = total + lines.multiply_back()
        leave(lines)
        return total

    return Task(part, len(places))


def kernels(filters: Array, windows: Windows, shape: Sizes) -> Array:
    """Return the gradient of weights of `shape` (O, C, *kernel) from that of the filters."""
    taps = filtering_of(windows).filters.T.astype(filters.dtype) @ filters.reshape(len(filters), -1)
    taps = taps.reshape(*windows.kernel, *shape[1::-1])
    return taps.transpose(taps.ndim - 1, taps.ndim - 2, *range(taps.ndim - 2))


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, out: Array) -> bool:
    """Write the convolution of images with weights (O, C, *kernel), plus the bias (O,) if not None, to `out`.

    That has its channels last. Returns whether all went well: an Inf or NaN would also get to where it does not belong,
    by the sums of rows.
    """
    return all(share(*correlating(x, weight, bias, windows, out)))


def weight_gradient(x: Array, g: Array, windows: Windows, shape: Sizes, dtype: Any) -> Array:
    """Return the gradient of weights of `shape` (O, C, *kernel) from that of the results.

    Where something is Inf or NaN, more of it may be than should.
    """
    return kernels(sum(share(*adding_up(x, g, windows, shape, dtype))), windows, shape)


def gradients(
    x: Array, g: Array, turned_weight: Array, windows: Windows, turned_windows: Windows, images: Array
) -> tuple[bool, Array]:
    """Do both: write the gradient of images to `images`, as `correlate` does, and return that of the weights.

    A thread has both for the same images, whose gradients it then finds in its own cache.
    """
    shape = (turned_weight.shape[1], turned_weight.shape[0], *windows.kernel)
    tasks = (
        correlating(g, turned_weight, None, turned_windows, images),
        adding_up(x, g, windows, shape, images.dtype),
    )
    threads = crew(min(task.places for task in tasks))

    def work(start: int, stop: int) -> list[Any]:
        return [part(places * start // threads, places * stop // threads) for part, places in tasks]

    done, filters = zip(*share(work, threads), strict=True)
    return all(done), kernels(sum(filters), windows, shape)
