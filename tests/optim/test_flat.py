"""One buffer for all parameters: the same numbers as tensor by tensor, whatever became of the views."""

from __future__ import annotations

import copy
from collections import deque

import numpy as np
import pytest

import nn
import optim
from autograd import Tensor, no_grad
from autograd.threads import share, team
from optim import flat
from tests.optim.problems import STEPPING, assert_identical, bowl, leaves, make, titles, train, values

stepping = pytest.mark.parametrize("case", STEPPING, ids=titles(STEPPING))


def of_one_buffer(params):
    bases = {id(p.data.base) for p in params if p.ndim and p.size}
    return len(bases) == 1 and all(p.data.base is not None for p in params if p.ndim and p.size)


@stepping
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_equals_a_step_tensor_by_tensor_bit_for_bit(case, dtype):
    together, apart, held = leaves(dtype), leaves(dtype), leaves(dtype)
    arrays = [p.data for p in held]  # whoever holds an array keeps it from becoming a view
    train(make(case, together), together, 10)
    train(make(case, [{"params": [p]} for p in apart]), apart, 10)
    train(make(case, held), held, 10)
    assert of_one_buffer(together)
    assert all(p.data is array for p, array in zip(held, arrays, strict=True) if p.ndim)
    assert_identical(values(together), values(apart))
    assert_identical(values(together), values(held))


@stepping
def test_blocks_do_not_show(case, monkeypatch):
    whole, blocks = leaves(), leaves()
    train(make(case, whole), whole, 5)
    monkeypatch.setattr(flat, "BLOCK", 5)
    monkeypatch.setattr(flat, "LONG", 4)
    train(make(case, blocks), blocks, 5)
    assert_identical(values(whole), values(blocks))


def matrices():
    """Return parameters of which some are long enough to be read where they lie, and one has no gradient at first."""
    rng = np.random.default_rng(0)
    sizes = [3, 5000, 7, 3001, 40, 2500]
    return [Tensor(rng.normal(size=size).astype("float32"), requires_grad=True) for size in sizes]


def steps_over(case, params, steps=3):
    optimizer = make(case, params)
    for step in range(steps):
        for i, p in enumerate(params):
            p.grad = None if i == 3 and not step else Tensor(p.data * 2 + i)
        optimizer.step()
    return [p.data.copy() for p in params]


@stepping
@pytest.mark.usefixtures("two_threads")
def test_threads_share_a_step(case, monkeypatch):
    monkeypatch.setattr(flat, "LONG", 3000)
    monkeypatch.setattr(flat, "BLOCK", 1000)
    alone = steps_over(case, matrices())
    parts = []
    monkeypatch.setattr(flat, "WORTH", 100)
    monkeypatch.setattr(flat, "share", lambda work, *how: parts.append(share(work, *how)))
    together = steps_over(case, matrices())
    assert {len(found) for found in parts} == ({1} if case == ("SGD", {"lr": 0.1}) else {2})
    # BLAS rounds the last few numbers of an array once more than the others.
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    with team().free:  # taken by somebody else
        assert_identical(steps_over(case, matrices()), together)


class Contended(deque):
    """Rooms of which another thread takes the last between a look at them and a grasp."""

    def __len__(self):
        return super().__len__() + 1


def test_a_room_that_another_thread_has_taken_is_made_anew():
    x = Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.Adam([x], lr=0.1)
    for _ in range(2):
        x.grad = Tensor(np.ones(3))
        optimizer.step()
        for flats in optimizer._flats:
            for one in flats:
                one.scratch = Contended()
    np.testing.assert_allclose(x.data, 0.8, rtol=1e-6)


def test_a_parameter_of_no_numbers_is_stepped_too():
    x = Tensor(np.zeros((0, 3)), requires_grad=True)
    optimizer = optim.Adam([x])
    x.sum().backward()
    optimizer.step()
    assert optimizer.state[x]["step"] == 1


def test_a_long_gradient_is_not_changed():
    x = Tensor(np.ones(3 * flat.LONG, "float32"), requires_grad=True)
    y = Tensor(np.ones((2, flat.BLOCK), "float32"), requires_grad=True)
    optimizer = optim.AdamW([x, y], lr=0.1, maximize=True)
    ((x * 3).sum() + (y * 2).sum()).backward()
    optimizer.step()
    assert (x.grad.numpy() == 3).all()
    assert (y.grad.numpy() == 2).all()
    np.testing.assert_allclose(x.data, 0.999 + 0.1, rtol=1e-6)
    np.testing.assert_allclose(y.data, 0.999 + 0.1, rtol=1e-6)


def broken_by_new_data(params):
    for p in params:
        p.data = np.array(p.data)


def broken_by_a_held_array(params):
    broken_by_a_held_array.kept = [np.array(p.data) for p in params]
    for p, array in zip(params, broken_by_a_held_array.kept, strict=True):
        p.data = array


def broken_by_assignment(params):
    with no_grad():
        for p in params:
            p += 0.0
        params[0][0, 0] = params[0].data[0, 0]


def broken_by_fortran_order(params):
    for p in params:
        if p.ndim:
            p.data = np.asfortranarray(np.array(p.data))


def broken_by_a_read_only_array(params):
    for p in params:
        if p.ndim:
            array = np.array(p.data)
            array.flags.writeable = False
            p.data = array


def broken_by_another_optimizer(params):
    other = optim.Adagrad(params, lr=0.0)
    bowl(params).backward()
    other.step()
    other.zero_grad()


def broken_by_a_copy(params):
    copy.deepcopy(params)


BREAKS = [
    broken_by_new_data,
    broken_by_a_held_array,
    broken_by_assignment,
    broken_by_fortran_order,
    broken_by_a_read_only_array,
    broken_by_another_optimizer,
    broken_by_a_copy,
]


@stepping
@pytest.mark.parametrize("breaks", BREAKS, ids=[f.__name__ for f in BREAKS])
def test_broken_views_do_not_show(case, breaks):
    params, plain = leaves(), leaves()
    optimizer = make(case, params)
    train(make(case, plain), plain, 6)
    train(optimizer, params, 3)
    breaks(params)
    train(optimizer, params, 1)
    breaks(params)
    train(optimizer, params, 2)
    assert_identical(values(params), values(plain))


def test_an_array_that_somebody_holds_goes_on_being_the_parameters():
    params = leaves()
    optimizer = optim.Adam(params)
    train(optimizer, params, 2)
    array = np.zeros((3, 4))
    params[0].data = array
    train(optimizer, params, 2)
    assert params[0].data is array
    assert array.any()


def test_an_array_that_nobody_holds_is_taken_in_again():
    params = leaves()
    optimizer = optim.Adam(params)
    train(optimizer, params, 2)
    broken_by_new_data(params)
    assert not of_one_buffer(params)
    train(optimizer, params, 1)
    assert of_one_buffer(params)


def test_two_optimizers_do_not_take_the_parameters_from_each_other():
    params = leaves()
    one, two = optim.SGD(params, lr=0.1), optim.SGD(params, lr=0.1)
    train(one, params, 1)
    arrays = [p.data for p in params]
    train(two, params, 1)
    train(one, params, 1)
    assert all(p.data is array for p, array in zip(params, arrays, strict=True) if p.ndim)


@stepping
def test_another_dtype_takes_the_state_along(case):
    params, single = leaves("float64"), leaves("float64")
    optimizer, other = make(case, params), make(case, single)
    train(optimizer, params, 3)
    train(other, single, 3)
    for p in single:
        p.data = p.data.astype("float32")
        p.grad = None
    train(optimizer, params, 3)
    train(other, single, 3)
    assert all(p.dtype == "float32" for p in single)
    for x, y in zip(values(single), values(params), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


def test_dtypes_are_mixed_in_a_group():
    x = Tensor([1.0], dtype="float32", requires_grad=True)
    y = Tensor([1.0], dtype="float64", requires_grad=True)
    z = Tensor([1.0 + 1j], requires_grad=True)
    optimizer = optim.SGD([x, y, z], lr=0.25, momentum=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        ((x * x).sum() + (y * y).sum() + (z * z.conj()).real.sum()).backward()
        optimizer.step()
    assert (x.dtype, y.dtype, z.dtype) == (np.float32, np.float64, np.complex128)
    assert x.item() == y.item() == 0.0
    assert z.item() == 0.0


def test_another_shape_is_refused_before_anything_changes():
    x, y = (Tensor([1.0, 2.0], requires_grad=True, name=name) for name in "xy")
    optimizer = optim.SGD([x, y], lr=0.1)
    x.grad = y.grad = [1.0, 1.0]
    optimizer.step()
    y.data = np.zeros(3)
    y.grad = np.zeros(3)
    before = np.array(x.data)
    with pytest.raises(ValueError, match=r"the shape of a parameter, \(3,\), .*: 'y'"):
        optimizer.step()
    np.testing.assert_array_equal(x.data, before)


def test_gradients_in_any_layout():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    x.grad = Tensor(np.arange(6.0).reshape(3, 2).T.copy(order="F"))
    expected = x.data - 0.5 * x.grad.data
    optim.SGD([x], lr=0.5).step()
    np.testing.assert_array_equal(x.data, expected)


def test_gradients_that_carry_a_graph():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    optim.SGD([x], lr=0.5).step()
    np.testing.assert_array_equal(x.data, [-0.5, -4.0])
    x.grad = None


def test_frozen_layers_between():
    params = leaves()
    params[1].requires_grad_(False)
    params[4].requires_grad_(False)
    before = values(params)
    optimizer = optim.Adam(params)
    train(optimizer, params, 3)
    for i in (1, 4):
        np.testing.assert_array_equal(params[i].data, before[i])
    assert set(optimizer.state_dict()["state"]) == {0, 2, 3, 5}


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("early", [True, False])
def test_parameters_that_share_an_array_are_stepped_one_after_another(kind, early):
    def weights(tie):
        a, b = (nn.Linear(2, 1, bias=False).weight for _ in range(2))
        a.data[...] = b.data[...] = 0
        optimizer = kind([a, b], lr=0.5)
        for step in range(4):
            if tie and step == (0 if early else 1):
                b.data = a.data
            a.grad, b.grad = Tensor(np.float32([[1, 0]])), Tensor(np.float32([[0, 1]]))
            optimizer.step()
        return a.numpy(), b.numpy()

    (tied, same), (first, second) = weights(tie=True), weights(tie=False)
    assert np.array_equal(tied, same)
    lost = 0 if early else 0.5  # what the second had come to before it took over the first's array
    assert np.allclose(tied, first + second + [0, lost])


def test_looking_for_shared_arrays_does_not_take_the_square_of_the_time(monkeypatch):
    asked = []
    monkeypatch.setattr(flat, "byte_bounds", lambda array: asked.append(1) or np.lib.array_utils.byte_bounds(array))
    params = [nn.Parameter(np.ones(2)) for _ in range(50)] + [nn.Parameter(1.0) for _ in range(50)]
    views = [p.numpy() for p in params[:50]]
    optimizer = optim.SGD(params, lr=0.5)
    for p in params:
        p.grad = Tensor(np.ones(p.shape, np.float32))
    optimizer.step()
    assert len(asked) == 50
    assert all(view.tolist() == [0.5, 0.5] for view in views)
