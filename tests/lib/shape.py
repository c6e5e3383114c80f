"""Shapes of answers: which keys there are, of which type, and where null may stand.

A shape is a type word (`?` behind it where null is allowed), a map of keys to shapes, [shape of every item], or
(shape of an object,) where null may stand instead. Further keys are allowed, as in the contract.
"""
import re

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
DATE = r"\d{4}-\d\d-\d\d"
WORDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
PATTERNS = {"time": TIME, "moment": MOMENT, "date": DATE, "digits": r"\d+", "month": r"\d{4}-\d\d", "archetype": r"arch_\d{12}"}


def check(value, shape, path="$"):
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{path} is {value!r}"
        missing = set(shape) - set(value)
        assert not missing, f"{path} lacks {sorted(missing)}"
        for key, inner in shape.items():
            check(value[key], inner, f"{path}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{path} is {value!r}"
        for i, item in enumerate(value):
            check(item, shape[0], f"{path}[{i}]")
    elif isinstance(shape, tuple):  # an object that may be null
        if value is not None:
            check(value, shape[0], path)
    else:
        word = shape.rstrip("?")
        if value is None:
            assert shape.endswith("?"), f"{path} is null"
        elif word in PATTERNS:
            assert isinstance(value, str) and re.fullmatch(PATTERNS[word], value), f"{path} is {value!r}"
        else:
            good = isinstance(value, WORDS[word]) and (word == "boolean" or not isinstance(value, bool))
            assert good, f"{path} is {value!r}, not {word}"
