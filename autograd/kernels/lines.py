"""Convolution over lines of pixels, channels last: matrix products of the images as they lie, no windows copied.

The pixels of a few images are laid out with their padding one after the other, each as its run of channels: line after
line, where the lines of all images that share a row come together. A kernel of width k reads, at each pixel, k * C
numbers in a row, and what it reads at every k-th pixel is a matrix as it lies in memory: k such matrices, a pixel
apart, are all windows. The next row of the kernel reads the same matrices some lines further on. So

    out = sum, over the rows i of the kernel, of windows(i rows further on) @ weight[i]

copies an image once, for its padding. Neighbouring lines share theirs. Where a window reaches over the end of its line
the result means nothing; it is computed with the others (one pixel in W + 1 for a 3x3 kernel) and dropped.

Three rows of a kernel take four products for two rows of results instead of six by minimal filtering (Winograd 1980;
Lavin and Gray 2016, https://arxiv.org/abs/1509.09308), here along the rows only: its sums are those of whole rows.

Measured on one core against copying all windows for one product (im2col), 64 images: 0.66 of the time for 32 to 32
channels on 32x32 pixels, 0.68 for 64 to 64 on 16x16; without minimal filtering 0.86 and 0.92.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from autograd.kernels import products
from autograd.kernels.layout import by_pixel
from autograd.kernels.moments import is_finite
from autograd.kernels.windows import Sizes, Windows
from autograd.memory import aligned
from autograd.threads import MOST, WORTH, crew, share

Array = Any
MOST_LEFT: Final = 1 << 24  # bytes of room that one convolution leaves to the next
BLOCK: Final = 1 << 20  # bytes of padded images at a time: with twice as much, one thread took 1.1 of the time


class Field:
    """A few padded images as lines of pixels: (rows, *middle, images, pixels, channels), flat, with some room behind.

    `lead` pixels come before the first, as padding on its left. `room` is for what is read beyond the last.
    """

    def __init__(self, shape: Sizes, lead: int, room: int, dtype: Any) -> None:
        channels = shape[-1]
        self.row = math.prod(shape[1:])
        self.count = shape[0]
        self.flat = aligned((lead + room) * channels + self.count * self.row, dtype)
        self.flat[...] = 0
        self.pixels = self.flat[lead * channels :][: self.count * self.row].reshape(shape)

    def pairs(self, start: int) -> Array:
        """Return rows as seen from the windows, two by two from `start` on: (2, pairs, numbers of a row).

        Each begins with its padding. There are as many pairs as leave two rows.
        """
        count = self.count // 2 - 1
        return self.flat[start * self.row :][: 2 * count * self.row].reshape(count, 2, self.row).swapaxes(0, 1)


class Direct:
    """A kernel's rows as they are: a product for each."""

    together = 1  # rows of results that are computed together

    def __init__(self, rows: int, dilation: int) -> None:
        self.products = rows
        self.dilation = dilation

    def filters(self, taps: Array) -> Array:
        """Return what is multiplied for the rows of a kernel, which `taps` has along its first axis."""
        return taps

    def taps(self, filters: Array) -> Array:
        """Return the gradient of the taps from that of the filters: the transpose of `filters`."""
        return filters

    def room(self, field: Field, room: int) -> tuple[Array, int]:
        """Return where the filters find what they are multiplied with, flat, and how far apart, once it is filled."""
        return field.flat, self.dilation * field.row

    def fill(self) -> None:
        """Write there what belongs to the pixels in the field."""

    def add_up(self, found: Array) -> None:
        """Make of all products the results: the first of them, one for each of the rows computed together."""
        for i in range(1, self.products):
            found[0] += found[i]

    def spread(self, gradients: Array) -> Array:
        """Return the gradients of all products from those of the results, which come first: the transpose of `add_up`."""
        return np.broadcast_to(gradients[0], gradients.shape)


class Minimal:
    """Three rows of a kernel by minimal filtering: four products for two rows of results."""

    together = 2
    products = 4

    # What each product has of the first, middle and last row of the kernel.
    shares = ((1, 0, 0), (0, 0, -1), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5))

    def filters(self, taps: Array) -> Array:
        shares = np.array(self.shares, taps.dtype)
        return (shares @ taps.reshape(3, -1)).reshape(4, *taps.shape[1:])

    def taps(self, filters: Array) -> Array:
        shares = np.array(self.shares, filters.dtype)
        return (shares.T @ filters.reshape(4, -1)).reshape(3, *filters.shape[1:])

    def room(self, field: Field, room: int) -> tuple[Array, int]:
        self.this, self.after = field.pairs(0), field.pairs(2)
        numbers = self.this[0].size
        flat = aligned((4, numbers + room), field.flat.dtype)
        flat[:, numbers:] = 0
        self.sums_of_rows = flat[:, :numbers].reshape(4, *self.this.shape[1:])
        return flat.reshape(-1), numbers + room

    def fill(self) -> None:
        this, after, found = self.this, self.after, self.sums_of_rows
        np.subtract(this, after, out=found[:2])
        np.add(this[1], after[0], out=found[2])
        np.subtract(after[0], this[1], out=found[3])

    def add_up(self, found: Array) -> None:
        even, odd, plus, minus = found
        even += plus
        even += minus
        odd += plus
        odd -= minus

    def spread(self, gradients: Array) -> Array:
        even, odd, plus, minus = gradients
        np.add(even, odd, out=plus)
        np.subtract(even, odd, out=minus)
        return gradients


class Plan:
    """How a convolution goes over `images` images and `rows` rows of results at a time.

    Of the runs that matrix products take, `most` go at a time; 0 for all of them.
    """

    def __init__(self, windows: Windows, channels: int, out: int, images: int, rows: int, most: int) -> None:
        self.windows, self.channels, self.out, self.images = windows, channels, out, images
        self.width = windows.kernel[-1]
        self.together = Minimal.together if is_minimal(windows) else Direct.together
        self.groups = -(-rows // self.together)  # of rows of results that are computed together
        self.pitch = windows.pitch
        self.middle = windows.padded[1:-1]
        self.place, self.part = windows.inside()
        line = images * math.prod(self.middle) * self.pitch
        runs = -(-self.groups * line // self.width)
        self.pieces = -(-runs // (most or runs))
        self.step = -(-runs // self.pieces)  # runs that are multiplied at a time
        self.shifts = [0]  # how many pixels on each tap along a middle axis reads
        if self.middle:
            self.shifts = [i * windows.dilation[1] * images * self.pitch for i in range(windows.kernel[1])]
        self.runs = self.pieces * self.step
        # What the last windows, which mean nothing, read.
        self.room = self.runs * self.width - self.groups * line + self.width + self.shifts[-1]
        self.lead = max(windows.before[-1], 0)
        rows_read = self.groups * self.together + windows.reach[0] - 1
        self.field = (rows_read, *self.middle, images, self.pitch, channels)


class Lines:
    """The room for a convolution as planned: images laid out, and what the filters are multiplied with.

    It is used again, by way of `prepared`. Padding stays zero, and so does what lies before and behind; `filled` says
    where images were written last. What products are written to, `found`, means nothing from one use to the next.
    """

    def __init__(self, plan: Plan, dtype: Any) -> None:
        self.plan, self.dtype = plan, dtype
        self.way = way_of(plan.windows)
        self.field = Field(plan.field, plan.lead, plan.room, dtype)
        self.inputs, self.apart = self.way.room(self.field, plan.room * plan.channels)
        self.filled: Any = None
        self.found = aligned((self.way.products, plan.runs * plan.width * plan.out), dtype)
        self.place = self.by_run(self.found)
        self.windows = [(shift, self.matrices(shift)) for shift in plan.shifts]

    def load(self, x: Array, row: int) -> None:
        """Fill `inputs` with what the filters are multiplied with, from images and the padded row to begin with."""
        plan, windows, field = self.plan, self.plan.windows, self.field
        top = windows.before[0] - row  # where the images begin
        first = min(max(top, 0), field.count)
        last = min(max(top + windows.size[0], first), field.count)
        if self.filled not in (None, (first, last, len(x))):
            field.pixels[...] = 0
        self.filled = first, last, len(x)
        pixels = slice(plan.part[-1].stop - plan.part[-1].start)
        seen = lines_first(x[(..., slice(first - top, last - top), *plan.part[2:])])
        field.pixels[(slice(first, last), *plan.place[2:-1], slice(len(x)), pixels)] = seen
        self.way.fill()

    def matrices(self, shift: int) -> Array:
        """Return the windows as matrices (products, width, pieces, runs, width * channels) of shared memory."""
        width, pieces, step = self.plan.width, self.plan.pieces, self.plan.step
        pixel = self.plan.channels * self.inputs.itemsize
        run = width * pixel
        shape = (self.way.products, width, pieces, step, width * self.plan.channels)
        strides = (self.apart * self.inputs.itemsize, pixel, step * run, run, self.inputs.itemsize)
        return np.ndarray(shape, self.inputs.dtype, self.inputs, shift * pixel, strides)

    def by_run(self, flat: Array) -> Array:
        """Return results, or room for them, as matrices (..., width, pieces, runs, O) as those of `matrices`."""
        plan = self.plan
        split = flat.reshape(len(flat), plan.pieces, plan.step, plan.width, plan.out)
        return split.transpose(0, 3, 1, 2, 4)

    def multiply(self, filters: Array) -> None:
        """Write the product of each filter with its inputs, as `load` left them, into `found`."""
        for (shift, windows), matrices in zip(self.windows, filters.swapaxes(0, 1)[:, :, None, None], strict=True):
            if shift == 0:
                np.matmul(windows, matrices, out=self.place)
            else:
                self.place += windows @ matrices

    def multiply_back(self, sent: Array) -> Array:
        """Return the gradient of the filters from those of the products."""
        sent = self.by_run(sent)
        found = [(windows.swapaxes(-1, -2) @ sent).sum(axis=(1, 2)) for _, windows in self.windows]
        return np.stack(found, axis=1)

    def rows(self, flat: Array) -> Array:
        """Return results that lie flat as rows (..., rows, *middle, images, pixels, O)."""
        plan = self.plan
        shape = (plan.groups, *plan.middle, plan.images, plan.pitch, plan.out)
        return flat[..., : math.prod(shape)].reshape(*flat.shape[:-1], *shape)

    def places(self, images: Array) -> Iterator[tuple[Any, Array]]:
        """Yield the index among such rows, computed together, of what means something, beside its place in `images`."""
        together = self.plan.together
        for i in range(together):
            rows = lines_first(images)[i::together]
            yield (i, *map(slice, rows.shape)), rows


SPARE: Final[deque[Lines]] = deque(maxlen=MOST)  # rooms that nobody uses: of the last convolution, one for each thread


def is_minimal(windows: Windows) -> bool:
    """Whether minimal filtering can do the rows of the kernel."""
    return windows.kernel[0] == 3 and windows.dilation[0] == 1 and windows.out[0] > 1


def way_of(windows: Windows) -> Any:
    """Return how the rows of a kernel are multiplied."""
    return Minimal() if is_minimal(windows) else Direct(windows.kernel[0], windows.dilation[0])


def lines_first(images: Array) -> Array:
    """Return images (N, C, *size) in the order of a field: (rows, *middle, images, pixels, channels)."""
    return images.transpose(*range(2, images.ndim - 1), 0, images.ndim - 1, 1)


def planned(windows: Windows, n: int, channels: int, out: int, itemsize: int) -> tuple[Plan, list[tuple[slice, slice]]]:
    """Return how some images and rows of results go at a time, so that they fit a cache, and the places of both.

    There are as many for each thread, where there is enough work for threads.
    """
    threads = crew(n * math.prod(windows.out) * math.prod(windows.kernel) * channels * out // WORTH)
    most = products.rows_at_a_time(windows.kernel[-1] * channels, out)
    return remembered(windows, n, channels, out, itemsize, threads, most, BLOCK)


@functools.lru_cache(maxsize=256)  # a tenth of a small convolution
def remembered(
    windows: Windows, n: int, channels: int, out: int, itemsize: int, threads: int, most: int, block: int
) -> tuple[Plan, list[tuple[slice, slice]]]:
    image = math.prod(windows.padded) * max(channels, out) * itemsize
    bands = min(-(-image // block), windows.out[0])
    rows = -(-windows.out[0] // bands)
    rows += rows % 2  # so that pairs stay together
    images = 1
    if bands == 1:
        count = -(-n * image // block)
        images = max(1, -(-n // max(1, -(-count // threads) * threads)))
    starts = itertools.product(range(0, n, images), range(0, windows.out[0], rows))
    plan = Plan(windows, channels, out, images, rows, most)
    return plan, [(slice(a, a + images), slice(b, b + rows)) for a, b in starts]


def prepared(plan: Plan, dtype: Any) -> Lines:
    """Return room for a convolution, new if an earlier one of the same plan has left none.

    Room of other plans that is met on the way is freed. A ResNet-20, which has several convolutions alike in a row,
    takes 0.96 of the time so, and 0.94 of that since their arrays begin at lines of the cache.
    """
    while SPARE:
        try:
            lines = SPARE.pop()
        except IndexError:  # another thread was quicker
            break
        if lines.plan is plan and lines.dtype == dtype:
            return lines
        del lines  # before the new one takes memory
    return Lines(plan, dtype)


def leave(lines: Lines) -> None:
    """Leave room to the next convolution, unless it is so much that it should not stay in the process."""
    if lines.inputs.nbytes + lines.found.nbytes <= MOST_LEFT:
        SPARE.append(lines)


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, out: Array) -> bool:
    """Write the convolution of images with weights (O, C, *kernel), plus the bias (O,) if not None, to `out`.

    Returns whether all went well: an Inf or NaN would also get to where it does not belong, by the sums of rows.
    """
    count, channels = weight.shape[:2]
    taps = weight.transpose(*range(2, weight.ndim), 1, 0).astype(out.dtype, copy=False)
    taps = taps.reshape(windows.kernel[0], math.prod(windows.kernel[1:-1]), windows.kernel[-1] * channels, count)
    filters = way_of(windows).filters(taps)
    # Along whole lines: a loop over the channels of each pixel would be a short one.
    added = None if bias is None else np.tile(bias.astype(out.dtype, copy=False), (windows.out[-1], 1))
    plan, places = planned(windows, len(x), channels, count, out.itemsize)

    def part(start: int, stop: int) -> bool:
        lines, finite = prepared(plan, out.dtype), True
        with np.errstate(all="ignore"):  # what means nothing may overflow
            for some, band in places[start:stop]:
                lines.load(x[some], band.start)
                lines.multiply(filters)
                # In room at lines of the cache: into `out` at once, the last sum would take as long as all of them.
                lines.way.add_up(lines.found)
                found = lines.rows(lines.found[: plan.together])
                for index, place in lines.places(out[some, :, band]):
                    if added is None:
                        place[...] = found[index]
                    else:
                        np.add(found[index], added, out=place)
                finite = finite and is_finite(by_pixel(out[some, :, band]))
        leave(lines)
        return finite

    return all(share(part, len(places)))


def weight_gradient(x: Array, g: Array, windows: Windows, shape: Sizes, dtype: Any) -> Array:
    """Return the gradient of weights of `shape` (O, C, *kernel) from that of the results.

    Where something is Inf or NaN, more of it may be than should.
    """
    count, channels = shape[:2]
    plan, places = planned(windows, len(x), channels, count, np.dtype(dtype).itemsize)
    way = way_of(windows)

    def part(start: int, stop: int) -> Array:
        lines = prepared(plan, dtype)
        gradients = lines.found[: way.together]
        room = lines.rows(gradients)
        # Once, since the loop writes elsewhere: what lies behind each line, in planes beyond, and behind all.
        room[..., windows.out[-1] :, :] = 0
        for axis, n in enumerate(windows.out[1:-1], start=2):
            room[(slice(None),) * axis + (slice(n, None),)] = 0
        gradients[:, room[0].size :] = 0
        total: Array = 0
        with np.errstate(all="ignore"):
            for some, band in places[start:stop]:
                lines.load(x[some], band.start)
                sent = g[some, :, band]
                if len(sent) < plan.images or sent.shape[2] < plan.groups * plan.together:
                    gradients[...] = 0
                for index, place in lines.places(sent):
                    room[index] = place
                total = total + lines.multiply_back(way.spread(lines.found))
        leave(lines)
        return total

    filters = sum(share(part, len(places)))
    taps = way.taps(filters).reshape(*windows.kernel, channels, count)
    return taps.transpose(taps.ndim - 1, taps.ndim - 2, *range(taps.ndim - 2))
