import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from werks.testing.sink import STRANGE
from werks_sinks.names import safe


@pytest.mark.parametrize(
    "symbol", ["XBTUSD", "BTC-USD", "BTC_USDT", "BTCUSDT_240628", "1000PEPEUSDT", "btcusd", "A.B"]
)
def test_ordinary_symbols_stay_as_they_are(symbol):
    assert safe(symbol) == symbol


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("tBTCF0:USTF0", "tBTCF0%3AUSTF0"),
        ("XBT/USD", "XBT%2FUSD"),
        ("../x", "%2E.%2Fx"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        (".BXBT", "%2EBXBT"),
        ("XBT.", "XBT%2E"),
        ("CON", "%43ON"),
        ("nul.txt", "%6Eul.txt"),
        ("CONE", "CONE"),
        ("100%", "100%25"),
        ("Ω", "%CE%A9"),
        ("", "%"),
    ],
)
def test_other_characters_are_escaped(symbol, name):
    assert safe(symbol) == name


def test_long_symbols_keep_their_beginning():
    first, second = safe("X" * 300), safe("X" * 300 + "Y")
    assert first != second
    assert first.startswith("X" * 60 + "%~")
    assert len(first) < 150


def test_strange_symbols_have_names_of_their_own():
    assert len({safe(symbol) for symbol in STRANGE}) == len(STRANGE)


anything = st.text() | st.text("./%~C2EON") | st.sampled_from(STRANGE).map(safe)


@given(anything, anything)
def test_two_texts_never_share_a_name(one, other):
    assert (safe(one) == safe(other)) == (one == other)


@given(anything)
def test_a_name_is_one_visible_folder(text):
    assert re.fullmatch(r"[A-Za-z0-9_%~-][A-Za-z0-9_.%~-]*", safe(text))
    assert not safe(text).endswith(".")
    assert len(safe(text)) <= 150
