"""``lmkit import --memory``: the same model, and what cannot be."""

from __future__ import annotations

import lmkit

from .support import refused


def test_import_with_a_bound_of_memory(run, small_model, tmp_path):
    for kind in ("arpa", "counts"):
        file = tmp_path / f"model.{kind}"
        assert run("export", small_model, "-o", file, "--format", kind).status == 0
        paths = [tmp_path / f"{kind}-{number}.lm" for number in range(2)]
        words = ["import", file, "--format", kind]
        assert run(*words, "-o", paths[0]).status == 0
        assert run(*words, "--memory", "64M", "-o", paths[1]).status == 0
        free, bound = map(lmkit.load, paths)
        for one, other in zip(free.trie.levels, bound.trie.levels, strict=True):
            for (name, column), (_, same) in zip(one.columns(), other.columns(), strict=True):
                assert column.array().tobytes() == same.array().tobytes(), name


def test_too_little_memory_is_refused(run, small_model, tmp_path):
    run("export", small_model, "-o", tmp_path / "model.arpa")
    result = run("import", tmp_path / "model.arpa", "--memory", "1M", "-o", tmp_path / "out.lm")
    refused(result, "too few to count in. Try: --memory 500M or more", status=2)
    assert not (tmp_path / "out.lm").exists()
