"""Regular expressions: which ones every client can compile, and the errors of the others."""

import pytest

from steerway.sources.policy.regular_expression import MAX_CHARACTERS, why_not


@pytest.mark.parametrize(
    "expression",
    [
        "/shop\\..*",
        "[[:alpha:]]+",
        "(?i)x",
        r"\pN+\z",
        r"\Q(\E",
        r"\\C",
        r"\QC:\C\E",
        "(?P<user>a)",
        "a{1000}",
        ".{1000}",
        "ä",
        "a" * MAX_CHARACTERS,
    ],
)
def test_an_expression_of_re2_is_valid(expression: str) -> None:
    """Whether or not Python's `re` accepts it."""
    assert why_not(expression) == ""


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("a(?=b)", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        ("(a", "missing )"),
        ("a++", "bad repetition operator"),
        ("a{1001}", "invalid repetition size"),
        ("((((a{100}){100}){100}){100})", "invalid repetition size"),
        (r"\pN{1000}\pN{1000}", "too large"),
        (r"\pL{80}", "too large"),
        (r"\Qabc", "missing )"),
        ("", "it is empty"),
        ("a" * (MAX_CHARACTERS + 1), "more than 1024 characters"),
        ("\ud800", "half of a character"),
        (r"a\C", r"\C is not in the RE2 of Go and Java"),
        (r"\QC:\E\C", r"\C is not in the RE2 of Go and Java"),
        (r"\\\C", r"\C is not in the RE2 of Go and Java"),
    ],
)
def test_an_expression_that_a_client_cannot_compile_is_refused(expression: str, words: str) -> None:
    """With RE2's message, where it has one."""
    assert words in why_not(expression)
    assert "\n" not in why_not(expression)
