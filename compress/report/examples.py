"""Which test rows show how a student differs from its teacher."""

from collections.abc import Mapping, Sequence


def examples(
    gold: Sequence[int],
    teacher: Sequence[int],
    sureness: Sequence[int],
    variants: Mapping[str, Sequence[int]],
    limit: int,
) -> list[int]:
    """Up to `limit` rows that the variants of a student answer otherwise than the teacher, sorted.

    Those that the teacher answers rightly come first, of these the ones that most variants miss, then those the teacher is surest
    of. Each goes to the variant that has the fewest so far, and counts for all that answer it otherwise: so one row serves many
    variants where it can, and each variant has its rows.

    Shapes: gold, teacher, sureness and each of the variants (rows,)
    """
    otherwise = {
        name: [row for row, (own, other) in enumerate(zip(ids, teacher, strict=True)) if own != other]
        for name, ids in variants.items()
    }
    shared: dict[int, list[str]] = {}
    for name, rows in otherwise.items():
        for row in rows:
            shared.setdefault(row, []).append(name)

    def rank(row: int) -> tuple[bool, int, int, int]:
        return teacher[row] != gold[row], -len(shared[row]), -sureness[row], row

    waiting = {name: sorted(rows, key=rank, reverse=True) for name, rows in otherwise.items()}
    served, chosen = dict.fromkeys(variants, 0), set[int]()
    while len(chosen) < limit:
        for rows in waiting.values():
            while rows and rows[-1] in chosen:
                rows.pop()
        names = [name for name, rows in waiting.items() if rows]
        if not names:
            break
        row = waiting[min(names, key=served.__getitem__)].pop()
        chosen.add(row)
        for name in shared[row]:
            served[name] += 1
    return sorted(chosen)
