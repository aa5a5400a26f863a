"""Formulas and functions that must be refused, as the equations of a spec."""

from __future__ import annotations


def graph(equations: str, head: str = "", tail: str = "") -> str:
    """A spec of equations over the input x."""
    return f"{head}inputs: {{x: [N, 3]}}\nequations:\n  {equations}\n{tail}"


def formula(text: str) -> str:
    """A spec with one equation, y."""
    return graph(f"y: {text}")


CODE = {
    "import": formula("\"__import__('os').system('id')\""),
    "import call": formula("__import__(os)"),
    "dunder chain": formula('"().__class__.__bases__[0]"'),
    "dunder attribute": formula("x.__class__"),
    "attribute": formula("x.shape"),
    "method": formula("x.sum()"),
    "transpose of nothing": formula(".T"),
    "lambda": formula('"lambda z: z"'),
    "list comprehension": formula('"[z for z in x]"'),
    "generator": formula("sum(z for z in x)"),
    "f-string": formula("f'{x}'"),
    "string": formula("\"exp('x')\""),
    "walrus": formula('"(z := x)"'),
    "and": formula("x and x"),
    "not": formula("not x"),
    "ternary": formula("x if x else x"),
    "await": formula("await x"),
    "star argument": formula("exp(*x)"),
    "double star argument": formula("exp(**x)"),
    "slice": formula('"x[0:2:3:4]"'),
    "tuple": formula("x, x"),
    "list": formula('"[x]"'),
    "dict": formula('"{x}"'),
    "statement": formula("import os"),
    "semicolon": formula("x; x"),
    "assignment": formula("z = x"),
    "two lines": formula("|\n    x\n    x"),
    "comment": formula('"x # y"'),
    "backslash": formula("x \\ x"),
    "template": formula('"{{ x }}"'),
    "call of a call": formula("exp(x)(x)"),
    "index of a call": formula("exp(x)[0]"),
    "call of a number": formula("2(x)"),
    "ellipsis": formula('"x[...]"'),
    "none": formula("None"),
}

OPERATORS = {
    "caret": formula("x^2"),
    "bit shift": formula("x << 2"),
    "tilde": formula('"~x"'),
    "unary plus": formula("+x"),
    "bare comparison": formula("x == 1"),
    "chained comparison": formula("where(0 < x < 1, x, 0)"),
    "condition that is none": formula("where(x, x, 0)"),
    "where of two": formula("where(x > 0, x)"),
    "truth value": formula("x + true"),
    "juxtaposition": formula("2 x"),
    "number and word": formula("2x"),
    "unclosed call": formula("exp(x"),
    "unclosed index": formula("x[0"),
    "stray bracket": formula("x)"),
    "wrong bracket": formula('"exp(x]"'),
    "trailing operator": formula("x +"),
    "doubled operator": formula("x * * x"),
    "empty brackets": formula("()"),
    "positional after keyword": formula("sum(axis=0, x)"),
    "keyword twice": formula("sum(x, axis=0, axis=1)"),
    "index that is no place": formula('"x[0.5]"'),
    "index by a product of sizes": formula('"x[exp(1)]"'),
    "empty formula": formula('""'),
    "no formula": formula(""),
    "list as a formula": formula("[x]"),
}

SIZES = {
    "nested parentheses": formula("(" * 5_000 + "x" + ")" * 5_000),
    "unary minuses": formula('"' + "-" * 15_000 + 'x"'),
    "more unary minuses": formula('"' + "-" * 100_000 + 'x"'),
    "long sum": formula("x" + "+x" * 9_000),
    "longer sum": formula("x" + "+x" * 50_000),
    "wide call": formula("exp(" + "x," * 3_000 + "x)"),
    "deep calls": formula("exp(" * 150 + "x" + ")" * 150),
    "minuses between parentheses": formula('"' + ("-" * 290 + "(") * 13 + "x" + ")" * 13 + '"'),
    "minuses in all parentheses": formula('"' + ("-" * 35 + "(") * 99 + "x" + ")" * 99 + '"'),
    "deep transposes": formula("x" + ".T" * 500),
    "deep indices": formula("x" + "[x" * 300 + "]" * 300),
    "huge integer": formula("1" + "0" * 10_000),
    "huge float": formula("1e400"),
    "huge float exponent": formula("x + 1e999999999999"),
    "tiny float": formula("x + 1e-400"),
    "tower": formula("9**9**9"),
    "exponent": formula("x**100000"),
    "constant overflow": formula("exp(1000) * x"),
    "factor overflow": formula("1e200 * 1e200"),
    "long name": formula("x" * 2_000),
}

NUMBERS = {
    "division by zero": formula("x/0"),
    "division by a zero constant": formula("x/(1 - 1)"),
    "log of zero": formula("log(0)"),
    "root of a negative": formula("sqrt(-1)"),
    "power that is complex": formula("(-8)**0.5"),
    "zero to a negative": formula("0**-1"),
    "complex": formula("x + 2j"),
    "hexadecimal": formula("x + 0x10"),
    "underscored": formula("x + 1_000"),
    "leading zero": formula("x + 007"),
    "infinity in YAML": graph("y: x", head="dtype: float64\n", tail="train: {clip_norm: .inf}"),
    "nan in YAML": graph("y: x", tail="train: {clip_norm: .nan}"),
}

FUNCTIONS = {
    "unknown function": formula("sigmiod(x)"),
    "unknown function without a neighbour": formula("xyzzy(x)"),
    "eval": formula("eval(x)"),
    "layer in a function": graph("y: f(x)", head='functions: {f(a): "dense(a, 3)"}\n'),
    "comma in a flow mapping": graph("y: x", head="functions: {f(a, b): a * b}\n"),
    "function without arguments": graph("y: x", head="functions: {f: 1}\n"),
    "function of a number": graph("y: x", head="functions: {f(2): 1}\n"),
    "function of one name twice": graph("y: x", head='functions: {"f(a, a)": a}\n'),
    "function with a strange default": graph("y: x", head='functions: {"f(a, b=a)": a}\n'),
    "language function redefined": graph("y: x", head="functions: {exp(a): a}\n"),
    "recursion": graph("y: f(x)", head="functions: {f(a): f(a)}\n"),
    "mutual recursion": graph("y: f(x)", head="functions: {f(a): g(a), g(a): f(a)}\n"),
    "function the library is built on": graph("y: silu(x)", head="functions: {sigmoid(a): a}\n"),
}
