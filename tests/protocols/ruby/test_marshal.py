"""Ruby's Marshal: what is written, and what is read of it."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.ruby import gemspec, marshal, native, unmarshal
from protocols.ruby.gemspec import Need, Spec
from protocols.ruby.unmarshal import Value

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 30), (1 << 30) - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def dumped(value: Value) -> bytes:
    if value is None:
        return marshal.NIL
    if isinstance(value, bool):
        return marshal.TRUE if value else marshal.FALSE
    if isinstance(value, int):
        return marshal.integer(value)
    if isinstance(value, str):
        return marshal.string(value)
    if isinstance(value, list):
        return marshal.array([dumped(each) for each in value])
    return marshal.mapping([(marshal.symbol(key), dumped(each)) for key, each in value.items()])


@settings(deadline=None)
@given(VALUE)
def test_what_is_written_is_read_again(value: Value) -> None:
    assert unmarshal.load(marshal.document(dumped(value))) == value


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_bytes_by_chance_are_a_value_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        unmarshal.load(b"\x04\x08" + body)


@pytest.mark.parametrize(
    ("value", "dump"),
    [
        (0, "6900"), (1, "6906"), (122, "697f"), (123, "69017b"), (255, "6901ff"), (256, "69020001"),
        (65536, "6903000001"), (-1, "69fa"), (-123, "6980"), (-124, "69ff84"), (-256, "69ff00"), (-257, "69fefffe"),
    ],
)  # fmt: skip
def test_integers_are_as_ruby_dumps_them(value: int, dump: str) -> None:
    assert marshal.integer(value).hex() == dump


def test_larger_integers_are_another_type() -> None:
    with pytest.raises(ValueError, match="Fixnum"):
        marshal.integer(1 << 30)


def test_what_ruby_itself_dumps_is_read() -> None:
    """Marshal.dump([{name: "a", platform: p}, {name: "b", platform: p}, "x".force_encoding("ASCII")]), Ruby 3.1."""
    dump = bytes.fromhex(
        "04085b087b073a096e616d6549220661063a0645543a0d706c6174666f726d49220972756279063b06547b073b004922066206"
        "3b06543b07400849220678063b0646"
    )

    assert unmarshal.load(dump) == [{"name": "a", "platform": "ruby"}, {"name": "b", "platform": "ruby"}, "x"]


@pytest.mark.parametrize(
    "dump",
    [
        b"", b"\x04\x07[\0", b"\x04\x08", b"\x04\x08[\x06", b"\x04\x080 ", b"\x04\x08o:\x0bObject\0",
        b"\x04\x08U:\x11Gem::Version[\x06\"\x061", b"\x04\x08u:\x06A\x00", b"\x04\x08c\x0bObject", b"\x04\x08;\x06",
        b"\x04\x08@\x06", b"\x04\x08[\x04\xff\xff\xff\x7f", b"\x04\x08" + b"[\x06" * 50 + b"0", b"\x04\x08I[\x00",
        b"\x04\x08{\x06i\x06i\x06", b"\x04\x08\"\xfa", b"\x04\x08l+\x07\xff\xff\xff\xff",
    ],
)  # fmt: skip
def test_everything_else_is_refused(dump: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unmarshal.load(dump)


SPEC = Spec("a", "1.10", needs=(Need("b", (">= 1.0.2", "~> 1.0")), Need("dev", runtime=False)), ruby=(">= 2.5",))


def test_a_specification_known_from_an_index_only_is_made_from_it() -> None:
    facts = native.FileFacts(needs="b:>= 1.0.2&~> 1.0", ruby=">= 2.5")

    made = zlib.decompress(native.quick("a", "1.10", facts))

    told = Spec("a", "1.10", needs=(SPEC.needs[0],), ruby=(">= 2.5",))
    assert made == gemspec.to_marshal(told)
    assert native.of_spec(SPEC).needs == facts.needs


def test_the_words_of_the_index_lead_back_to_the_dependencies() -> None:
    facts = native.of_spec(SPEC)

    assert native.needs(facts) == SPEC.runtime()
    assert native.file_facts(native.encode(facts)) == facts
