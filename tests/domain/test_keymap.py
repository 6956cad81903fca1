"""Which key does what, and what a config may make of it: every wrong wish is one sentence that says what to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.keys.actions import ACTIONS
from controlroom.domain.keys.keymap import DEFAULT, MOTIONS, WORDS, KeyProblem, remapped, screens

NAMES = [*(action.name for action in ACTIONS), *dict.fromkeys(motion.name for motion in MOTIONS)]


def claims(keymap: object, screen: str) -> list[str]:
    """Every key that does something on a screen, once for each thing it does."""
    assert isinstance(keymap, type(DEFAULT))
    found = [key for action in keymap.on_screen(screen) for key in action.keys]
    return found + [key for motion in keymap.motions if motion.where == screen for key in motion.keys]


def test_as_it_comes_every_key_does_one_thing() -> None:
    for screen in screens():
        keys = claims(DEFAULT, screen)
        assert len(keys) == len(set(keys)), screen


def test_names_are_names_of_one_thing() -> None:
    assert not {action.name for action in ACTIONS} & {motion.name for motion in MOTIONS}


def test_as_it_comes_a_phone_can_type_it_all() -> None:
    for action in ACTIONS:
        assert all(len(key) == 1 or key in WORDS for key in action.keys), action.name
    for motion in MOTIONS:
        assert len(motion.keys[0]) == 1 or motion.keys[0] in WORDS, motion.name


def test_a_key_is_another_one() -> None:
    keys = remapped({"kill": "}", "down": "{", "spawn": ["|", "s"]})
    assert keys["kill"].keys == ("}",)
    assert keys["spawn"].keys == ("|", "s")
    assert keys.motion("agent", "down").keys == ("{", "down"), "arrows stay"
    assert keys["message"] == DEFAULT["message"]


def test_two_may_change_places() -> None:
    keys = remapped({"message": "r", "reassign": "m"})
    assert (keys["message"].key, keys["reassign"].key) == ("r", "m")


def test_helps_name_the_keys_that_hold() -> None:
    assert "add one with +." in remapped({"host_add": "+"})["hosts"].help
    assert not any("{" in action.help for action in DEFAULT.actions)


def test_what_has_no_key_is_found_in_the_palette() -> None:
    keys = remapped({"forget": "", "palette": ";"})
    assert keys["forget"].keys == ()
    assert keys.shown("forget") == "; forget"
    assert keys.shown("open") == "Enter"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"kil": "z"}, "keys.kil is no action: did you mean kill?"),
        ({"zzz": "z"}, "keys.zzz is no action; see controlroom help keys"),
        ({"kill": 3}, 'keys.kill: found 3, expected a key like "x", or several'),
        ({"kill": ["z", 3]}, "expected a key like"),
        ({"kill": "ctrl+k"}, "keys.kill: 'ctrl+k' cannot be typed on a phone: expected one letter or sign"),
        ({"kill": "f5"}, "'f5' cannot be typed on a phone"),
        ({"kill": "\x1b"}, "cannot be typed on a phone"),
        ({"open": "Escape"}, "'Escape' always leads back"),
        ({"open": "backspace"}, "always leads back"),
        ({"kill": "7"}, "'7' chooses a row, a pane or an answer"),
        ({"kill": "X"}, "keys.kill: 'X' and 'x' are one key, for phone keyboards begin with a capital: write 'x'"),
        ({"message": "X"}, "are one key"),
        ({"message": "x"}, "keys.message: 'x' is kill already (agent): give one of them another key"),
        ({"kill": "+", "message": "+"}, "'+' is"),
        ({"kill": "j"}, "keys.kill: 'j' is down already"),
        ({"down": "k"}, "keys.down: 'k' is up already"),
        ({"down": "s"}, "keys.down: 's' is spawn already"),
        ({"match_older": "b"}, "keys.match_older: 'b' is page_up already (agent)"),
        ({"help": "c"}, "'c' is screen already (agent)"),
        ({"kill": "y", "allow": "+"}, "keys.kill: 'y' says yes when it asks first"),
        ({"kill": "enter", "open": "+"}, "pressed too easily for what ends something"),
        ({"palette": ""}, "keys.palette is empty, but nothing else does it"),
        ({"back": []}, "keys.back is empty"),
    ],
)
def test_a_wrong_wish_is_one_sentence(wanted: dict[str, object], told: str) -> None:
    with pytest.raises(KeyProblem) as caught:
        remapped(wanted)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


WISHES = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(
        st.sampled_from([*"abcdefghijklmnopqrstuvwxyz+-;=!", "space", "enter", "", "Z", "f1", "7"]),
        st.lists(st.sampled_from([*"zvw+-=!", "space"]), max_size=2),
    ),
    max_size=6,
)


@given(WISHES)
def test_whatever_is_wished_no_key_does_two_things(wanted: dict[str, object]) -> None:
    try:
        keys = remapped(wanted)
    except KeyProblem:
        return
    for screen in screens():
        held = claims(keys, screen)
        assert len(held) == len(set(held))
        assert all(key == key.lower() for key in held)
    for action in keys.actions:
        assert not (action.danger and {"y", "enter", "space"} & set(action.keys))
