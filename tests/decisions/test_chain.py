"""The hash chain: every record altered, missing, moved or cut off is found, at its place."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from decisions.chain import Broken, Linked, genesis, link, verify


def chain(n: int = 5, partition: str = "2026-11") -> list[Linked]:
    previous, found = genesis(partition), []
    for place in range(1, n + 1):
        record = f"record {place}".encode()
        previous = link(previous, record, place=place)
        found.append(Linked(place, record, previous))
    return found


def fault(records: list[Linked], head: Linked | None = None) -> tuple[int, str] | None:
    found = verify(iter(records), partition="2026-11", head=head)
    return None if found is None else (found.place, found.fault)


def test_a_chain_as_it_was_written_is_whole() -> None:
    assert fault(chain(), head=chain()[-1]) is None
    assert fault([]) is None


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
def test_every_record_altered_missing_or_moved_is_found_at_its_place(place: int) -> None:
    whole, i = chain(), place - 1
    altered = [replace(r, record=r.record + b".") if r.place == place else r for r in whole]
    assert fault(altered) == (place, "altered")
    forged = [replace(r, hash=bytes(32)) if r.place == place else r for r in whole]
    assert fault(forged) == (place, "altered")
    missing = whole[:i] + whole[place:]
    assert fault(missing, head=whole[-1]) == (place, "missing")
    if place < 5:
        swapped = [*whole[:i], whole[i + 1], whole[i], *whole[i + 2 :]]
        assert fault(swapped) == (place, "reordered")
        exchanged = [*whole[:i], replace(whole[i + 1], place=place), replace(whole[i], place=place + 1)]
        assert fault(exchanged) == (place, "altered")
    assert fault([*whole[:place], whole[i], *whole[place:]]) == (place, "reordered")


def test_an_end_cut_off_is_found_only_against_a_head_known_from_elsewhere() -> None:
    whole = chain()
    assert fault(whole[:3]) is None
    assert fault(whole[:3], head=whole[-1]) == (4, "missing")
    assert fault([], head=whole[-1]) == (1, "missing")


def test_a_chain_rewritten_from_some_place_on_does_not_end_in_the_known_head() -> None:
    found = verify(chain(4) + chain(6)[4:], partition="2026-11", head=replace(chain(6)[-1], hash=bytes(32)))
    assert found == Broken(6, "altered", "it does not end as its known head at 6")
    assert fault(chain(6), head=chain(5)[-1]) == (6, "altered")


def test_chains_of_two_partitions_cannot_be_exchanged() -> None:
    assert fault(chain(partition="2026-12")) == (1, "altered")


def test_lengths_are_part_of_the_hash_and_the_form_is_fixed() -> None:
    assert link(bytes(32), b"ab", place=1) != link(bytes(32), b"a", place=1)
    stated = hashlib.sha256(bytes(32) + bytes(7) + b"\x01" + bytes(7) + b"\x02" + b"ab").digest()
    assert link(bytes(32), b"ab", place=1) == stated
