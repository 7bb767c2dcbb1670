from xml.etree import ElementTree as ET

import pytest

from autograd import Tensor
from autograd.__main__ import main
from autograd.expression import Expression, ExpressionError


def run(capsys, *arguments):
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def rows(out):
    return {line.split()[0]: line.split()[1:] for line in out.splitlines()}


def test_value_and_gradients_are_printed(capsys):
    status, out, err = run(capsys, "(x + y) * z", "x=-2", "y=5", "z=-4")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].split() == ["value", "gradient"]
    assert rows(out)["result"] == ["-12", "1"]
    assert (rows(out)["x"], rows(out)["y"], rows(out)["z"]) == (["-2", "-4"], ["5", "-4"], ["-4", "3"])


def test_picture_is_written(capsys, tmp_path):
    path = tmp_path / "circuit.svg"
    status, out, _ = run(capsys, "(x + y) * z", "x=-2", "y=5", "z=-4", "--svg", str(path), "--steps")
    assert status == 0
    assert "Step 2 of 2" in out
    root = ET.parse(path).getroot()
    assert "@keyframes" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("formula", "values", "result", "gradient"),
    [
        ("-x", ["x=3"], "-3", "-1"),
        ("x - 2 - 1", ["x=3"], "0", "1"),
        ("12 / x / 2", ["x=3"], "2", "-0.6666666667"),
        ("2 ** x ** 2", ["x=2"], "16", "44.36141956"),
        ("max(x, 1)", ["x=3"], "3", "1"),
        ("max(1, x) - min(x, 5)", ["x=3"], "0", "0"),
        ("exp(x) + pi", ["x=0"], "4.141592654", "1"),
        (" e * x ", ["x=2", "e=3"], "6", "3"),
        ("+x", ["x=1e3"], "1000", "1"),
        ("9**9**9*x", ["x=1"], "inf", "inf"),
        ("abs(x)", ["x=-inf"], "inf", "-1"),
    ],
)
def test_formulas(capsys, formula, values, result, gradient):
    status, out, err = run(capsys, formula, *values)
    assert (status, err) == (0, "")
    assert rows(out)["result"] == [result, "1"]
    assert rows(out)["x"][1] == gradient


@pytest.mark.parametrize(
    ("formula", "place"),
    [
        ("x + y.real", 4),
        ("x + __import__('os')", 4),
        ("1 + eval('x')", 4),
        ("x + [1][0]", 4),
        ("x if x else x", 0),
        ("x + 'text'", 4),
        ("2 + (lambda: x)()", 4),
        ("x @ x", 0),
        ("x % 2", 0),
        ("x + max(x)", 4),
        ("x + exp(x, base=2)", 4),
        ("x + max(*x)", 4),
        ("x < 2", 0),
        ("~x", 0),
        ("x + True", 4),
        ("x + 2j", 4),
        ("(x := 2)", 1),
        ("{x}", 0),
        ("f'{x}'", 0),
        ("x + 1" + "0" * 400, 4),
        ("x + +", 5),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(capsys, formula, place):
    with pytest.raises(ExpressionError) as error:
        Expression(formula)
    assert error.value.at == place
    status, out, err = run(capsys, formula, "x=1")
    assert (status, out) == (1, "")
    source, pointer = err.splitlines()[-2:]
    assert pointer.index("^") == place + 4
    assert source.strip().startswith(formula[:20])


def test_place_counts_characters_not_bytes():
    with pytest.raises(ExpressionError) as error:
        Expression("π * x.real")
    assert error.value.at == 4


@pytest.mark.parametrize(
    "formula", ["", "   ", "(" * 5000 + "x" + ")" * 5000, "+".join("x" * 40_000), "-" * 9000 + "x", "x\x00"]
)
def test_hopeless_formulas_are_refused(formula):
    with pytest.raises(ExpressionError):
        Expression(formula)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x * y", "x=1"], "'y' has no value: add y=..."),
        (["x", "x=1", "y=2"], "y is not in the formula"),
        (["x", "x=one"], "'one' is no number"),
        (["x", "x"], "write name=number"),
        (["x", "x=1", "x=2"], "twice"),
        (["1 + 2"], "1 + 2 = 3"),
        (["x", "x=1", "--steps"], "--svg"),
        (["x*2", "x=1", "--svg", "picture.bmp"], ".svg"),
        (["x*2", "x=1", "--svg", "/nowhere/at/all.svg"], "nowhere"),
        (["foo(x)", "x=1"], "unknown function 'foo'"),
    ],
)
def test_mistakes_are_named(capsys, arguments, message):
    status, _, err = run(capsys, *arguments)
    assert status == 1
    assert message in err


def test_numbers_are_floats(capsys):
    assert Expression("7 / 2")({}) == 3.5
    assert isinstance(Expression("x * 2")({"x": Tensor(3.0)}), Tensor)


def test_options_may_stand_before_the_values(capsys, tmp_path):
    path = tmp_path / "circuit.svg"
    run(capsys, "(x + y) * z", "--svg", str(path), "x=-2", "y=5", "z=-4")
    assert path.exists()
