"""The shape of the code: sizes, docstrings and cycles, for every module of the package."""

import ast
from pathlib import Path

import grimp
import pytest

import s3haul

ROOT = Path(s3haul.__file__).parent
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
LONGEST_MODULE = 400  # lines
LONGEST_FUNCTION = 60  # lines without decorators, parameters and docstring


@pytest.fixture(params=MODULES)
def tree(request) -> ast.Module:
    return ast.parse((ROOT / request.param).read_text())


def test_every_module_says_what_it_is(tree):
    assert ast.get_docstring(tree)


def test_no_module_is_too_long_to_be_read_at_once(tree):
    assert max((node.end_lineno for node in tree.body), default=0) <= LONGEST_MODULE


def test_no_function_is_too_long_to_be_understood_at_once(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = node.end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph("s3haul", exclude_type_checking_imports=True)
    graph.remove_import(importer="s3haul.demo.server", imported="s3haul.demo.process")  # `python -m` only
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    while removed := [module for module, imported in imports.items() if not imported]:
        imports = {
            module: imported.difference(removed)
            for module, imported in imports.items()
            if module not in removed
        }
    assert not imports, f"a circle among {sorted(imports)}"
