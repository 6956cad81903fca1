from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.address import Address, parse_address, place_of, short_name

GOOD = {
    "vm1": Address("vm1"),
    "agent@vm1": Address("vm1", "agent"),
    "agent@10.0.0.7:2222": Address("10.0.0.7", "agent", 2222),
    "vm-1.example.org:22": Address("vm-1.example.org", "", 22),
    "first.last@vm1": Address("vm1", "first.last"),
    "[::1]:2222": Address("::1", "", 2222),
    "me@[fe80::1%eth0]:22": Address("fe80::1%eth0", "me", 22),
    "[2001:db8::1]": Address("2001:db8::1"),
    "2001:db8::1": Address("2001:db8::1"),
    "my_alias": Address("my_alias"),
}

BAD = (
    *(
        "",
        " ",
        "@vm1",
        "vm 1",
        "-oProxyCommand=id",
        "vm1;id",
        "$(id)",
        "`id`",
        "vm1\n",
        "vm1|id",
        "%h",
        "vm1%00",
        "../vm1",
    ),
    *("a@b@c@", "-l@vm1", "me me@vm1", "me'@vm1", 'x"y', "vm1:", "vm1:0", "vm1:65536", "vm1:-1", "vm1:２２", "vm1:22x"),
    *(
        "[::1",
        "[::1]22",
        "[vm1]:22x",
        "[::g]:22",
        "fe80::1%eth0;id",
        "vm1-",
        ".vm1",
        "vm1\x1b[2J",
        "vm1\u202e",
        "v" * 254,
    ),
)


@pytest.mark.parametrize("text", GOOD)
def test_an_address_is_read(text: str) -> None:
    assert parse_address(text) == GOOD[text]
    assert parse_address(str(GOOD[text])) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_what_ssh_or_a_shell_could_stumble_over_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"use user@address, user@address:port") as error:
        parse_address(text)
    assert str(error.value).isprintable()


@given(st.text())
def test_what_passes_is_plain(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert str(address).isascii()
    assert not set(str(address)) & set(" \"'$`\\;|&<>(){}*?!#~\n\t")
    assert not address.host.startswith("-")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("me@vm1.example.com:2222", "vm1"),
        ("vm1", "vm1"),
        ("me@10.0.0.5", "10.0.0.5"),
        ("[2001:db8::1]:22", "2001-db8--1"),
        ("root@fd00::2", "fd00--2"),
        ("ann@[fe80::1%eth0]:22", "fe80--1"),
        ("Ann.B@Big-Box", "big-box"),
        ("ANN@Build_Box", "build_box"),
        ("dead.beef.example", "dead"),
        ("not an address", ""),
    ],
)
def test_a_host_is_named_after_its_address(address: str, name: str) -> None:
    assert short_name(address) == name


def test_a_place_is_named_as_known_hosts_does() -> None:
    assert (place_of("vm1", 22), place_of("vm1", 2222)) == ("vm1", "[vm1]:2222")
