"""The hash chain: every record altered, missing, moved or cut off is found, at its place."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from decisions.chain import Broken, Head, Linked, digest, genesis, link, verify


def chain(n: int = 5, partition: str = "2026-11") -> list[Linked]:
    previous, found = genesis(partition), []
    for place in range(1, n + 1):
        record = digest(f"record {place}".encode())
        previous = link(previous, record, place=place)
        found.append(Linked(place, record, previous))
    return found


def head(records: list[Linked]) -> Head:
    return Head(records[-1].place, records[-1].hash)


def fault(
    records: list[Linked], head: Head | None = None, known: Sequence[Head] = ()
) -> tuple[int, str] | None:
    found = verify(iter(records), partition="2026-11", head=head, known=known)
    return None if found is None else (found.place, found.fault)


def test_a_chain_as_it_was_written_is_whole() -> None:
    assert fault(chain(), head(chain()), [head(chain(2)), head(chain())]) is None
    assert fault([]) is None
    assert fault([], Head(0, b"")) is None


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
def test_every_record_altered_missing_or_moved_is_found_at_its_place(place: int) -> None:
    whole, i = chain(), place - 1
    altered = [replace(r, digest=digest(b".")) if r.place == place else r for r in whole]
    assert fault(altered) == (place, "altered")
    forged = [replace(r, hash=bytes(32)) if r.place == place else r for r in whole]
    assert fault(forged) == (place, "altered")
    missing = whole[:i] + whole[place:]
    assert fault(missing, head(whole)) == (place, "missing")
    if place < 5:
        swapped = [*whole[:i], whole[i + 1], whole[i], *whole[i + 2 :]]
        assert fault(swapped) == (place, "reordered")
        exchanged = [*whole[:i], replace(whole[i + 1], place=place), replace(whole[i], place=place + 1)]
        assert fault(exchanged) == (place, "altered")
    assert fault([*whole[:place], whole[i], *whole[place:]]) == (place, "reordered")


def test_an_end_cut_off_is_found_only_against_a_head_known_from_elsewhere() -> None:
    whole = chain()
    assert fault(whole[:3]) is None
    assert fault(whole[:3], head(whole)) == (4, "missing")
    assert fault(whole[:3], head(whole[:3]), [head(whole)]) == (4, "missing")
    assert fault([], known=[head(whole)]) == (1, "missing")


def test_a_record_put_after_the_head_is_found() -> None:
    assert fault(chain(6), head(chain(5))) == (6, "altered")
    assert fault(chain(1), Head(0, b"")) == (1, "altered")


def test_a_chain_written_anew_is_whole_in_itself_and_found_against_a_head_of_before() -> None:
    anew, previous = [], genesis("2026-11")
    for one in chain():
        record = digest(b"forged") if one.place == 2 else one.digest
        previous = link(previous, record, place=one.place)
        anew.append(Linked(one.place, record, previous))
    assert fault(anew, head(anew)) is None
    assert fault(anew, head(anew), [head(chain(1))]) is None
    assert fault(anew, head(anew), [head(chain(4)), head(chain(3))]) == (3, "altered")
    found = verify(anew, partition="2026-11", head=Head(5, bytes(32)))
    assert found == Broken(5, "altered", "its head is kept as place 5")


def test_chains_of_two_partitions_cannot_be_exchanged() -> None:
    assert fault(chain(partition="2026-12")) == (1, "altered")


def test_the_form_is_fixed() -> None:
    assert digest(b"ab") == hashlib.sha256(b"ab").digest()
    stated = hashlib.sha256(bytes(32) + bytes(7) + b"\x01" + digest(b"ab")).digest()
    assert link(bytes(32), digest(b"ab"), place=1) == stated
    assert genesis("a") == hashlib.sha256(b"buyer-tier chain 1\0a").digest()
