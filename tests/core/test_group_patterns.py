"""Guide, "Package group definition syntax and matching behavior"."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.errors import Validation
from registry.core.groups import folding, patterns
from registry.core.groups.hierarchy import Hierarchy
from registry.core.types import FormatInfo, PackageGroup, PackageKey


def lower(namespace: str | None, name: str) -> tuple[str | None, str]:
    if namespace:
        raise ValueError("packages have no namespace")
    return None, name.lower().replace("_", "-")


def required(namespace: str | None, name: str) -> tuple[str | None, str]:
    return namespace, name


def loose(namespace: str | None, name: str) -> tuple[str | None, str]:
    return namespace, name


FORMATS = {
    "npm": FormatInfo("npm", loose, str, str),
    "pypi": FormatInfo("pypi", lower, str, str, aliases=("python",)),
    "maven": FormatInfo("maven", required, str, str, namespace_required=True),
}


def package(path: str) -> PackageKey:
    format, namespace, name = path[1:].split("/")
    return PackageKey(format, namespace or None, name)


def group(pattern: str, number: int = 0) -> PackageGroup:
    return PackageGroup(number or hash(pattern), 1, pattern, "", "", 0, {})


def strength(pattern: str, path: str) -> str | None:
    return patterns.read(pattern).matches(package(path))


# --- syntax ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "/*",
        "/npm/*",
        "/maven/com.anycompany~",
        "/maven/com.anycompany.*",
        "/npm/space/*",
        "/npm//*",
        "/npm/space/anycompany-ui~",
        "/npm/space/anycompany-*",
        "/npm//AsyncStorage$",
        "/maven/org.apache.logging.log4j/log4j-core$",
        "/npm//weird~name$",
        "/pypi//requests$",
        "/npm/space/é~",
        "/nuget/*",
    ],
)
def test_the_patterns_of_the_guide_are_understood(text: str) -> None:
    assert patterns.parse(text, FORMATS, {"nuget"}).text == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with"),
        ("/npm/\0*", "no white space"),
        ("/npm//a b$", "no white space"),
        ("/npm//a\u200b$", "no white space"),
        ("*", "begins with"),
        ("npm/*", "begins with"),
        ("/npm/space/name", "ends with"),
        ("/~", "in the place of a format"),
        ("/npm*", "in the place of a format"),
        ("//*", "has a package format"),
        ("/npm/~", "has a name before"),
        ("/npm//~", "has a name before"),
        ("/npm//$", "has a name before"),
        ("/npm/space$", "whole package path"),
        ("/npm/a/b/c$", "at most a format"),
        ("/npm//foo-~", "after a letter or a number"),
        ("/npm//foo.~", "after a letter or a number"),
        ("/rpm/*", "'rpm' is none"),
        ("/maven//log4j$", "have one"),
        ("/maven//*", "have one"),
        ("/pypi/space/*", "no namespace"),
        ("/pypi/space~", "no namespace"),
        ("/pypi//My_Package$", "'/pypi//my-package$'"),
        ("/pypi//My~", "'/pypi//my~'"),
        ("/npm//" + "x" * 520 + "$", "begins with"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Validation, match=why.replace("$", r"\$")):
        patterns.parse(text, FORMATS)


def test_other_words_for_a_format_are_understood() -> None:
    assert patterns.parse("/python//requests$", FORMATS).text == "/pypi//requests$"
    assert patterns.known("/python/*", FORMATS) == "/pypi/*"


# --- strong and weak matches ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/*", "/npm//anything", "STRONG"),
        ("/npm/*", "/pypi//anything", None),
        ("/npm/space/foo~", "/npm/space/foo", "STRONG"),
        ("/npm/space/foo~", "/npm/space/foo-bar", "STRONG"),
        ("/npm/space/foo~", "/npm/space/food", None),
        ("/npm/space/foo~", "/npm/space/foot", None),
        ("/npm/space/foo~", "/npm/space/foo5", None),
        ("/npm/space/foo~", "/npm/space/fooé", None),
        ("/npm/space/foo~", "/npm/space/foo\u0301", None),  # a mark goes on with the word
        ("/npm/space/foo*", "/npm/space/food", "STRONG"),
        ("/npm/space/foo-*", "/npm/space/foo", None),
        ("/maven/com.anycompany~", "/maven/com.anycompany.ui/core", "STRONG"),
        ("/maven/com.anycompany~", "/maven/com.anycompanyui/core", None),
        ("/npm//*", "/npm//react", "STRONG"),
        ("/npm//*", "/npm/space/react", None),
        ("/npm/s~", "/npm//s", None),
        # Case sensitivity.
        ("/npm//AsyncStorage$", "/npm//AsyncStorage", "STRONG"),
        ("/npm//AsyncStorage$", "/npm//asyncstorage", "WEAK"),
        ("/npm//anycompany-spicy-client$", "/npm//AnyCompany-spicy-client", "WEAK"),
        ("/npm/space/*", "/npm/Space/x", "WEAK"),
        ("/npm/space/foo~", "/npm/SPACE/foo-x", "WEAK"),
        # Additional variations: foobar is none.
        ("/npm//foo-bar$", "/npm//foo.bar", "WEAK"),
        ("/npm//foo-bar$", "/npm//foo..bar", "WEAK"),
        ("/npm//foo-bar$", "/npm//foo_bar", "WEAK"),
        ("/npm//foo-bar$", "/npm//foo-_.bar", "WEAK"),
        ("/npm//foo-bar$", "/npm//foobar", None),
        ("/maven/com.act.on/x$", "/maven/com.act-on/x", "WEAK"),
        ("/npm//foo-bar~", "/npm//foo_bar_x", "WEAK"),
        ("/npm//foo-bar~", "/npm//foo_barx", None),
        # Confusable characters.
        ("/npm//paypal$", "/npm//pаypаl", "WEAK"),  # Cyrillic
        ("/npm//paypal$", "/npm//paypa1", "WEAK"),
        ("/npm//paypal$", "/npm//paypaI", "WEAK"),  # looks alike in this case only
        ("/npm//paypaI$", "/npm//paypal", "WEAK"),
        ("/npm//storm$", "/npm//storrn", "WEAK"),
        ("/npm//foo$", "/npm//f00", "WEAK"),
        ("/npm//foo$", "/npm//ｆｏｏ", "WEAK"),
        ("/npm//foo$", "/npm//f\u200boo", "WEAK"),  # nobody sees it
        ("/npm/аcme/*", "/npm/acme/x", "WEAK"),
        ("/npm//foil$", "/npm//foll", None),
        ("/npm//cafe$", "/npm//café", None),  # an accent is seen
        ("/npm//café$", "/npm//cafe\u0301", "WEAK"),
    ],
)
def test_matches(pattern: str, path: str, expected: str | None) -> None:
    assert strength(pattern, path) == expected


def test_the_folds_know_the_whole_table_of_confusables() -> None:
    assert folding.skeleton("0123") == "Ol23"
    assert folding.skeleton("m") == "rn"
    assert folding.skeleton("ℓ٠𝐚") == "l.a"
    assert folding.version().startswith("1 ")


# --- hierarchy ------------------------------------------------------------------------------------


def belongs(groups: list[str], path: str) -> tuple[str, str] | None:
    found = Hierarchy(map(group, groups)).associated(package(path))
    return None if found is None else (found[0].pattern, found[1])


def test_the_most_specific_match_decides() -> None:
    groups = ["/*", "/npm/*", "/npm/sp*", "/npm/space~", "/npm/space/*", "/npm/space/foo*", "/npm/space/foo~"]
    groups += ["/npm/space/foo-bar~", "/npm/space/foo-bar-x$"]

    assert [
        belongs(groups, path)
        for path in (
            "/pypi//react",
            "/npm//react",
            "/npm/spice/x",
            "/npm/space.a/x",
            "/npm/space/food",
            "/npm/space/foo_x",
            "/npm/space/foo-bar-y",
            "/npm/space/foo-bar-x",
            "/npm/space/other",
        )
    ] == [
        ("/*", "STRONG"),
        ("/npm/*", "STRONG"),
        ("/npm/sp*", "STRONG"),
        ("/npm/space~", "STRONG"),
        ("/npm/space/foo*", "STRONG"),
        ("/npm/space/foo~", "STRONG"),
        ("/npm/space/foo-bar~", "STRONG"),
        ("/npm/space/foo-bar-x$", "STRONG"),
        ("/npm/space/*", "STRONG"),
    ]


def test_a_weak_match_does_not_roll_up_and_a_group_of_its_own_frees_a_variation() -> None:
    groups = ["/*", "/npm/*", "/npm//AsyncStorage$"]
    assert belongs(groups, "/npm//asyncStorage") == ("/npm//AsyncStorage$", "WEAK")

    groups.append("/npm//asyncStorage$")

    assert belongs(groups, "/npm//asyncStorage") == ("/npm//asyncStorage$", "STRONG")
    assert belongs(groups, "/npm//AsyncStorage") == ("/npm//AsyncStorage$", "STRONG")
    assert belongs(groups, "/npm//asyncstorage")[1] == "WEAK"  # type: ignore[index]


def test_the_most_specific_decides_even_when_it_is_the_weak_one() -> None:
    assert belongs(["/*", "/npm//foo~", "/npm//foo-bar~"], "/npm//foo_bar") == ("/npm//foo-bar~", "WEAK")


def test_parents() -> None:
    groups = ["/*", "/npm/*", "/npm/space~", "/npm/space/*", "/npm/space/foo*", "/npm/space/foo~", "/npm//foo$"]
    groups += ["/npm/space/foo-bar$", "/npm/Space.x/*", "/npm/space/foo-*", "/npm//food$", "/npm//foo~"]
    rows = {each: group(each) for each in groups}
    hierarchy = Hierarchy(rows.values())

    def parent(pattern: str) -> str | None:
        found = hierarchy.parent(rows[pattern])
        return None if found is None else found.pattern

    assert {each: parent(each) for each in groups} == {
        "/*": None,
        "/npm/*": "/*",
        "/npm/space~": "/npm/*",
        "/npm/space/*": "/npm/space~",
        "/npm/Space.x/*": "/npm/space~",  # whatever it matches is a variation of the parent's
        "/npm/space/foo*": "/npm/space/*",
        "/npm/space/foo~": "/npm/space/foo*",
        "/npm/space/foo-*": "/npm/space/foo~",
        "/npm/space/foo-bar$": "/npm/space/foo-*",
        "/npm//foo$": "/npm//foo~",
        "/npm//food$": "/npm/*",
        "/npm//foo~": "/npm/*",
    }
    assert [each.pattern for each in hierarchy.children(rows["/npm/*"])] == ["/npm//food$", "/npm//foo~", "/npm/space~"]
    assert [each.pattern for each in hierarchy.line(rows["/npm//foo$"])] == ["/npm//foo$", "/npm//foo~", "/npm/*", "/*"]


# --- against a slow reference ---------------------------------------------------------------------

WORDS = st.text(st.sampled_from("abAоO0mrnIl1-._é"), min_size=1, max_size=5)
SPACES = st.one_of(st.just(""), WORDS)


@st.composite
def drawn(draw: st.DrawFn) -> str:
    namespace, name = draw(SPACES), draw(WORDS)
    text = draw(
        st.sampled_from(
            [
                "/*",
                "/npm/*",
                f"/npm/{namespace}/*",
                f"/npm/{name}*",
                f"/npm/{name}~",
                f"/npm/{namespace}/{name}*",
                f"/npm/{namespace}/{name}~",
                f"/npm/{namespace}/{name}$",
            ]
        )
    )
    try:
        return patterns.read(text).text
    except ValueError:
        return "/npm/*"


def begins(text: str, stem: str, suffix: str) -> bool:
    rest = text[len(stem) :]
    return text.startswith(stem) and (suffix == "*" or not rest or unicodedata.category(rest[0])[0] not in "LNM")


def slow(pattern: str, path: str, *, fold: bool) -> bool:
    """By the letter of the guide, one pattern and one path at a time; every spelling of both when folded."""
    parts, suffix = pattern[1:-1].split("/"), pattern[-1]
    texts = path[1:].split("/")
    if parts == [""]:
        return True
    if parts[0] != texts[0]:
        return False
    if parts[1:] == [""]:
        return True
    if fold:
        return any(
            slow(f"/npm/{'/'.join(own)}{suffix}", f"/npm/{'/'.join(theirs)}", fold=False)
            for own in spellings(parts[1:])
            for theirs in spellings(texts[1:])
        )
    if len(parts) == 2:
        return begins(texts[1], parts[1], suffix) and texts[1] != ""
    if parts[1] != texts[1]:
        return False
    return texts[2] == parts[2] if suffix == "$" else begins(texts[2], parts[2], suffix)


def spellings(parts: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for part in parts:
        found = [[*each, fold] for each in found for fold in folding.folds(part)]
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(drawn(), max_size=8), SPACES, WORDS)
def test_keys_find_what_looking_at_every_group_finds(texts: list[str], namespace: str, name: str) -> None:
    groups = [group(text, number) for number, text in enumerate(sorted({"/*", *texts}), 1)]
    path = f"/npm/{namespace}/{name}"
    matching = [
        (patterns.read(each.pattern).rank, slow(each.pattern, path, fold=False), each.pattern)
        for each in groups
        if slow(each.pattern, path, fold=False) or slow(each.pattern, path, fold=True)
    ]

    found = Hierarchy(groups).associated(package(path))

    assert found is not None
    best = max(matching)
    assert (found[0].pattern, found[1]) == (best[2], "STRONG" if best[1] else "WEAK")


@settings(max_examples=200, deadline=None)
@given(st.lists(drawn(), min_size=1, max_size=8), SPACES, WORDS)
def test_a_parent_matches_whatever_its_child_matches(texts: list[str], namespace: str, name: str) -> None:
    groups = [group(text, number) for number, text in enumerate(sorted({"/*", *texts}), 1)]
    hierarchy = Hierarchy(groups)
    key = package(f"/npm/{namespace}/{name}")

    for each in groups:
        line = hierarchy.line(each)
        assert line[-1].pattern == "/*"
        ranks = [patterns.read(above.pattern).rank for above in line]
        assert ranks == sorted(ranks, reverse=True) and len(set(ranks)) == len(ranks)
        if patterns.read(each.pattern).matches(key) == "STRONG":
            assert all(patterns.read(above.pattern).matches(key) for above in line)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20))
def test_folding_ignores_what_the_guide_says(text: str) -> None:
    assert folding.variations(text, text.casefold())
    assert folding.variations(text.replace("-", "._"), text.replace("-", "--"))
