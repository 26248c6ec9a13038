"""The checksum of a source file covers all code, but no docstring, comment or blank line. Over the whole library."""

import ast
import io
import tokenize

import pytest
from internal_physics.ground.closure import ROOT, significant_source

FILES = sorted((ROOT / "internal_physics").rglob("*.py"))
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def docstrings(text):
    """Nodes of the docstrings of a source text, first to last."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    found = [node.body[0].value for node in nodes if ast.get_docstring(node) is not None]
    return sorted(found, key=lambda node: node.lineno)


def with_other_docstrings(text):
    """Each docstring replaced by another one, of two lines."""
    lines = text.encode().split(b"\n")
    for node in reversed(docstrings(text)):
        before, after = lines[node.lineno - 1][: node.col_offset], lines[node.end_lineno - 1][node.end_col_offset :]
        lines[node.lineno - 1 : node.end_lineno] = [
            before + b'"""Other words,',
            b'   two lines of \xe2\x88\x82 them."""' + after,
        ]
    return b"\n".join(lines).decode()


def with_other_comments(text):
    """Without the original comments, with one after every statement, and one and a blank line before it."""
    lines = text.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for token in reversed(tokens):
        row, column = token.start[0] - 1, token.start[1]
        if token.type == tokenize.COMMENT:
            lines[row] = lines[row][:column].rstrip()
        elif token.type == tokenize.NEWLINE:
            lines[row] = lines[row][:column] + "  # ∂ another comment"
            lines.insert(row + 1, "    # on a line of its own\n   ")
    return "\n".join(lines)


def code_tokens(text):
    """Kind and text of every token that is neither layout nor a comment."""
    return [
        (token.type, token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in LAYOUT
    ]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_docstrings_and_comments_do_not_count(path):
    text = path.read_text(encoding="utf-8")
    for change in (with_other_docstrings, with_other_comments):
        changed = change(text)
        assert changed != text or not text
        assert significant_source(changed) == significant_source(text)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_else_counts(path):
    """Every token of code is kept, in order; docstrings are the only tokens that vanish."""
    text = path.read_text(encoding="utf-8")
    kept, given = code_tokens(significant_source(text) + "\n"), code_tokens(text)
    starts = {(node.lineno, node.col_offset) for node in docstrings(text)}
    assert len(given) - len(kept) == 2 * len(starts)  # each with the end of its line
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in LAYOUT]
    vanishing = {i + offset for i, token in enumerate(tokens) if token.start in starts for offset in (0, 1)}
    assert kept == [pair for i, pair in enumerate(given) if i not in vanishing]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "x = 2\n"),
        ("x = 'a'\n", "x = 'b'\n"),
        ("x = '# a'\n", "x = '# b'\n"),
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n'),
        ('x = """a\n"""\n', 'x = """a \n"""\n'),
        ('x = f"""a{y}\n"""\n', 'x = f"""a{y} \n"""\n'),
        ('x = """a  # b\n"""\n', 'x = """a  # c\n"""\n'),
        ('x = f"# {y}"  # a\n', 'x = f"# {z}"  # a\n'),
        ('x = ("# a"  # one\n     "b")\n', 'x = ("# b"  # one\n     "b")\n'),
        ("def f():\n    return 1\nf()\n", "def f():\n    return 1\n    f()\n"),
        ('def f():\n    x = 1\n    "an expression"\n', 'def f():\n    x = 1\n    "another"\n'),
    ],
)
def test_code_and_strings_count(before, after):
    assert significant_source(before) != significant_source(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('x = """a\nb"""\n', 'x = """a\nb"""  # a comment\n'),
        ('x = """a\nb"""\n', 'x = """a\nb"""   \n'),
        ("x = (\n    1,\n)\n", "x = (\n    1,  # one\n\n    # end\n)\n"),
        ('"""A."""\nx = 1\n', '\n\n"""∂: much\n\nlonger."""\n\nx = 1  # ∂\n'),
        ('class A:\n    """∂."""; x = 1\n', 'class A:\n    """d."""; x = 1\n'),
        ('x = ("a"  # one\n     "b")\n', 'x = ("a"  # ∂, longer\n     "b")\n'),
        ("x = '∂ # a'  # b\n", "x = '∂ # a'  # c\n"),
        ("x = 'a\x0cb'\n", "x = 'a\x0cb'  # a form feed splits no line\n"),
    ],
)
def test_layout_and_comments_do_not(before, after):
    assert significant_source(before) == significant_source(after)
