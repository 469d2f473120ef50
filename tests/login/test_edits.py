"""Edits of settings files: ours is set, everything else stays, and what is not understood is refused."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Callable

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from registry.login import ini, npmrc, toml, yaml
from registry.login.errors import Malformed

# --- .npmrc ------------------------------------------------------------------------------------------------


def test_npmrc_keys_are_set_in_place_once_and_the_rest_stays() -> None:
    text = "; mine\nregistry = http://old/\nfund=false\nregistry=http://older/\n"

    assert npmrc.put(text, {"registry": "http://new/", "//new/:_authToken": "t"}) == (
        "; mine\nregistry=http://new/\nfund=false\n//new/:_authToken=t\n"
    )


def test_npmrc_keys_below_a_section_are_others() -> None:
    assert npmrc.put("a=1\n[b]\nregistry=x\n", {"registry": "y"}) == "a=1\nregistry=y\n[b]\nregistry=x\n"


def test_npmrc_without_a_last_newline_or_without_text() -> None:
    assert npmrc.put("a=1", {"b": "2"}) == "a=1\nb=2\n"
    assert npmrc.put("", {"b": "2"}) == "b=2\n"


# --- INI ---------------------------------------------------------------------------------------------------


def test_ini_options_are_set_in_place_and_the_rest_stays() -> None:
    text = "[global]\n# mine\ntimeout = 5\nindex-url = http://old/\n    more\n\nretries=2\n\n[install]\nindex-url = x\n"

    assert ini.put(text, "global", {"index-url": "http://new/", "trusted-host": "h"}) == (
        "[global]\n# mine\ntimeout = 5\nindex-url = http://new/\n\nretries=2\ntrusted-host = h\n\n"
        "[install]\nindex-url = x\n"
    )


def test_ini_sections_are_added_at_the_end_or_filled() -> None:
    assert ini.put("", "b", {"y": "2"}) == "[b]\ny = 2\n"
    assert ini.put("[a]\nx = 1", "b", {"y": "2"}) == "[a]\nx = 1\n\n[b]\ny = 2\n"
    assert ini.put("[b]\n\n[c]\n", "b", {"y": "2"}) == "[b]\ny = 2\n\n[c]\n"


def test_ini_other_spellings_of_an_option_are_replaced() -> None:
    same: Callable[[str], str] = lambda key: key.lower().replace("_", "-")  # noqa: E731

    text = "[global]\nINDEX_URL: x\nindex-url = z\n"
    assert ini.put(text, "global", {"index-url": "y"}, same=same) == "[global]\nindex-url = y\n"


def test_ini_in_another_form_is_refused() -> None:
    with pytest.raises(Malformed, match="b is written in a way"):
        ini.put("[a]\n\n  [b]\nx = 1\n", "b", {"x": "2"})


@pytest.mark.parametrize(
    ("text", "line"),
    [("secret\n", 1), ("[a]\nsecret\n", 2), ("[a]\n[b]\n[a]\n", 3), ("[a]\nx=1\nx=2\n", 3), ("\n x=secret\n", 2)],
)
def test_ini_that_configparser_refuses_is_refused_with_the_line_and_without_its_text(text: str, line: int) -> None:
    with pytest.raises(Malformed, match=f"line {line} ") as caught:
        ini.put(text, "a", {"y": "2"})

    assert "secret" not in str(caught.value)


_WORD = st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True)
_VALUE = st.from_regex(r"[a-z0-9/:.%$]{0,8}(\n  [a-z0-9/:]{1,6}){0,2}", fullmatch=True)
_INI = st.dictionaries(_WORD, st.dictionaries(_WORD, _VALUE, max_size=3), max_size=3)


def _parsed(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


@given(_INI, _WORD, st.dictionaries(_WORD, st.sampled_from(["v", "\n  v\n  w"]), min_size=1, max_size=3))
def test_ini_any_document_gets_the_options_and_nothing_else(
    document: dict[str, dict[str, str]], section: str, values: dict[str, str]
) -> None:
    text = "".join(f"[{name}]\n# c\n" + "".join(f"{k} = {v}\n" for k, v in o.items()) for name, o in document.items())
    before = _parsed(text)

    made = ini.put(text, section, values)

    plain = {key: value.replace("\n  ", "\n") for key, value in values.items()}
    assert _parsed(made) == before | {section: before.get(section, {}) | plain}
    assert ini.put(made, section, values) == made
    assert made.count("# c") == text.count("# c")


# --- TOML --------------------------------------------------------------------------------------------------

INDEX = {"name": "packyard", "url": "http://h/simple/", "default": True}


def test_toml_a_table_is_added_or_changed_and_comments_stay() -> None:
    other = '# mine\n[http-basic.other] # o\nusername = "u"\n\n[http-basic.packyard]\n'
    text = other + 'username = "x" # old\nmore = 1\n# end\n'

    assert toml.put(text, ("http-basic", "packyard"), {"username": "aws", "password": "t"}) == (
        other + 'username = "aws"\nmore = 1\npassword = "t"\n# end\n'
    )
    assert toml.put("", ("a", "b c"), {"x": "1"}) == '[a."b c"]\nx = "1"\n'
    assert toml.put("[a]\n", ("a", "b"), {"x": "1"}) == '[a]\n\n[a.b]\nx = "1"\n'


def test_toml_an_element_is_found_by_its_key() -> None:
    text = '[[index]]\nname = "other"\n\n[[index]]\nname = "packyard"\nurl = "old"\ncache-control = "x"\n\n[pip]\n'

    assert toml.put_element(text, "index", "name", INDEX) == (
        '[[index]]\nname = "other"\n\n[[index]]\nname = "packyard"\nurl = "http://h/simple/"\ncache-control = "x"\n'
        "default = true\n\n[pip]\n"
    )


def test_toml_a_new_element_can_stand_first() -> None:
    text = 'offline = true\n\n# of the house\n[[index]]\nname = "other"\ndefault = true\n[index.more]\nx = 1\n'

    made = toml.put_element(text, "index", "name", INDEX, first=True)

    assert [each["name"] for each in tomllib.loads(made)["index"]] == ["packyard", "other"]
    assert tomllib.loads(made)["index"][1]["more"] == {"x": 1}
    assert '# of the house\n[[index]]\nname = "other"' in made


@pytest.mark.parametrize(
    "text",
    [
        "secret [ not toml\n",
        "index = 1\n",
        'index = [{ name = "packyard" }]\n',
        'index = [{ name = "other" }]\n',
        '[[index]]\nname = "packyard"\nurl = """\nsecret\n"""\n',
    ],
)
def test_toml_in_another_form_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        toml.put_element(text, "index", "name", INDEX)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["a = 1\n", "[a]\nb = { x = 1 }\n", "[a]\nb = 1\n", "a.b.x = 1\n", "[[a]]\n"])
def test_toml_tables_in_another_form_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        toml.put(text, ("a", "b"), {"x": "2"})


def test_toml_texts_that_look_like_headers_do_no_harm() -> None:
    text = 'a = """\n[[index]]\nname = "packyard"\n"""\nb = [\n  ["x"],\n]\n'

    try:
        made = toml.put_element(text, "index", "name", INDEX)
    except Malformed:
        return
    assert tomllib.loads(made) == tomllib.loads(text) | {"index": [INDEX]}


# --- YAML --------------------------------------------------------------------------------------------------

ENTRY: list[tuple[str, str | bool]] = [("npmAuthToken", "t"), ("npmAlwaysAuth", True)]
BLOCK = '    npmAuthToken: "t"\n    npmAlwaysAuth: true\n'


def test_yaml_a_text_is_set_in_place() -> None:
    assert yaml.put("# mine\na: 1 # x\n\nb: 'old'\nc: |\n  text: x\n", "b", "new") == (
        '# mine\na: 1 # x\n\nb: "new"\nc: |\n  text: x\n'
    )
    assert yaml.put("", "b", "new") == 'b: "new"\n'
    assert yaml.put("b:\n", "b", "new") == 'b: "new"\n'


def test_yaml_an_entry_is_added_to_its_mapping_with_the_indent_of_the_others() -> None:
    text = 'r:\n    "//o/":\n        npmAuthToken: other\n\n# next\nz: 1\n'

    assert yaml.put_entry(text, "r", "//h/", ENTRY) == (
        'r:\n    "//o/":\n        npmAuthToken: other\n    "//h/":\n      npmAuthToken: "t"\n'
        "      npmAlwaysAuth: true\n\n# next\nz: 1\n"
    )


@pytest.mark.parametrize(
    "old",
    [
        '  "//h/":\n    npmAuthToken: old\n',
        "  '//h/': { npmAuthToken: old }\n",
        "  //h/:\n\n    # c\n    npmAuthToken: old\n",
    ],
)
def test_yaml_an_entry_of_the_same_name_is_replaced(old: str) -> None:
    text = f"r:\n  a:\n    x: 1\n{old}  b:\n    y: 2\n"

    assert yaml.put_entry(text, "r", "//h/", ENTRY) == f'r:\n  a:\n    x: 1\n  "//h/":\n{BLOCK}  b:\n    y: 2\n'


def test_yaml_escapes_that_are_not_of_json_make_another_name() -> None:
    text = 'r:\n  "\\x2f/h/":\n    a: 1\n'

    assert yaml.put_entry(text, "r", "//h/", ENTRY) == f'{text}  "//h/":\n{BLOCK}'


@pytest.mark.parametrize("empty", ["", "r:\n", "r: {}\n", "r: null # c\n"])
def test_yaml_a_mapping_that_is_empty_is_filled(empty: str) -> None:
    assert yaml.put_entry(empty, "r", "//h/", ENTRY) == f'r:\n  "//h/":\n{BLOCK}'


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", 'w:\n  - "h"\n'),
        ("w: []\n", 'w:\n  - "h"\n'),
        ("w:\n- a\nz: 1\n", 'w:\n- a\n- "h"\nz: 1\n'),
        ("w:\n    - 'a' # c\n", "w:\n    - 'a' # c\n    - \"h\"\n"),
        ("w: [a, 'b'] # w\n", "w: [a, 'b', \"h\"] # w\n"),
        ("w: [w]\n", 'w: [w, "h"]\n'),
        ("w:\n  - h\n", "w:\n  - h\n"),
        ('w: ["h"]\n', 'w: ["h"]\n'),
    ],
)
def test_yaml_an_item_is_added_once(text: str, made: str) -> None:
    assert yaml.put_item(text, "w", "h") == made
    assert yaml.put_item(made, "w", "h") == made
    assert "h" in pyyaml.safe_load(made)["w"]


@pytest.mark.parametrize(
    "text",
    [
        "secret\n",
        "  indented: secret\n",
        "a:\n\tb: secret\n",
        "{ a: secret }\n",
        "%YAML 1.2\n---\na: 1\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\n...\n",
        "r: { x: secret }\n",
        "r: *secret\n",
        "r: text\n",
        "r:\n  - secret\n",
        "r:\n  - a: secret\n    b: 1\n",
        "r:\n    a: 1\n  b: secret\n",
        "r:\n- a\n",
        "r: {\n  x: secret }\n",
        "r:\n  a: 1\nr:\n  b: 1\n",
        "r:\n  //h/: 1\n  //h/: 2\n",
        "r:\n  ? a\n  : b\n",
    ],
)
def test_yaml_that_is_not_understood_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        yaml.put_entry(text, "r", "//h/", ENTRY)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["w: [a\n  ,b]\n", "w: [[a]]\n", "w: {a: 1}\n", "w:\n  a: 1\n", "w:\n  - a\n    - b\n", "w: a\n"]
)
def test_yaml_lists_in_another_form_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        yaml.put_item(text, "w", "h")


def test_yaml_texts_of_several_lines_are_refused() -> None:
    with pytest.raises(Malformed):
        yaml.put("s: |\n  x\n", "s", "new")


_NAME = st.sampled_from(["//a/", "//b:80/x/", "//h/", "c"])
_ENTRIES = st.dictionaries(_NAME, st.dictionaries(st.sampled_from("xyz"), st.booleans(), min_size=1), max_size=3)
_YARNRC = st.fixed_dictionaries(
    {},
    optional={
        "r": _ENTRIES,
        "w": st.lists(st.sampled_from(["a", "h", "*.b"])),
        "s": st.text("abc ", min_size=1),
        "n": st.integers(),
    },
)


@given(_YARNRC, st.integers(1, 6))
def test_yaml_any_document_gets_what_was_set_and_nothing_else(document: dict[str, object], indent: int) -> None:
    text = pyyaml.safe_dump(document, indent=indent, default_flow_style=False, sort_keys=False) if document else ""

    made = yaml.put(yaml.put_item(yaml.put_entry(text, "r", "//h/", ENTRY), "w", "h"), "s", "new")

    entries = dict(document.get("r") or {}) | {"//h/": {"npmAuthToken": "t", "npmAlwaysAuth": True}}  # type: ignore[call-overload]
    items = list(document.get("w") or [])  # type: ignore[call-overload]
    wanted = document | {"r": entries, "w": items if "h" in items else [*items, "h"], "s": "new"}
    assert pyyaml.safe_load(made) == wanted
    assert yaml.put(yaml.put_item(yaml.put_entry(made, "r", "//h/", ENTRY), "w", "h"), "s", "new") == made
