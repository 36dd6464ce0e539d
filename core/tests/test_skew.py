"""How much later than their times rows come tells how far our clock is ahead."""

import numpy as np
import pyarrow as pa
import pytest

from werks.pipeline.skew import Skew
from werks.schema import Scales, batch, schema, times, word

SECOND = 10**9
OF = schema("QUOTE", Scales(2, 2))


def rows(*late):
    """Return rows that were heard so many seconds after their times; None: never."""
    time = np.arange(len(late), dtype=np.int64) * SECOND
    names = {name: word(name, len(late)) for name in ("exchange", "symbol")}
    heard = [
        None if each is None else int(at + each * SECOND)
        for at, each in zip(time, late, strict=True)
    ]
    received = pa.array(heard, pa.int64()).view(OF.field("received").type)
    return batch(OF, timestamp=times(time), received=received, **names)


@pytest.mark.parametrize(
    ("batches", "least"),
    [
        ([], 30),
        ([rows(2.5, 2.7)], 2.5),
        ([rows(2.5), rows(0.1), rows(9)], 0.1),
        ([rows(None)], 30),
        ([rows(None), rows(3), rows(4)], 3),
        ([rows(-5)], 0),
        ([rows(1000)], 30),
        ([rows(0.1), *[rows(4)] * 32], 4),
        ([rows(0.1).drop_columns(["received"])], 0),
    ],
)
def test_the_least_of_the_last_batches_counts(batches, least):
    skew = Skew()
    for each in batches:
        skew.take(each)
    assert skew.least == least * SECOND
