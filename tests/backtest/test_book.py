"""What a replay remembers is kept as it came, so that every process writes the same bytes."""

from __future__ import annotations

from pathlib import Path

from backtest.book import Book, read_book, write_book


def test_a_kept_state_does_not_depend_on_who_writes_it(tmp_path: Path) -> None:
    cases = [f"case-{n}" for n in range(100)]
    write_book(Book(undisputed=dict.fromkeys(cases)), tmp_path / "first")
    again = read_book(tmp_path / "first")
    assert list(again.undisputed) == cases
    write_book(again, tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
