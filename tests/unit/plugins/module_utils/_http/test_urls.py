# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs as Restate compares them, and as a person may see them."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http import urls
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment


@pytest.mark.parametrize(("one", "other"), [
    pytest.param("http://h:9080", "http://h:9080/", id="a trailing slash"),
    pytest.param("http://h:9080/base/", "http://h:9080/base", id="a trailing slash of a path"),
    pytest.param("http://h:9080", "https://h:9080", id="the scheme"),
    pytest.param("http://h", "http://h:80", id="the default port of http"),
    pytest.param("https://h", "https://h:443", id="the default port of https"),
    pytest.param("http://Orders.Example:9080", "http://orders.example:9080", id="the case of the host"),
    pytest.param("HTTP://h:9080", "http://h:9080", id="the case of the scheme"),
    pytest.param("http://[FE80::1]:9080", "http://[fe80::1]:9080/", id="the case of an IPv6 address"),
    pytest.param("http://u:p@h:9080", "http://h:9080", id="userinfo"),
])  # fmt: skip
def test_what_makes_no_difference(one: str, other: str) -> None:
    assert urls.endpoint(one) == urls.endpoint(other)
    assert deployment("dp_1", url=one).is_at(other)


@pytest.mark.parametrize(("one", "other"), [
    pytest.param("http://h:9080", "http://h:9081", id="the port"),
    pytest.param("http://h", "http://h:443", id="the default port of the other scheme"),
    pytest.param("http://h1:9080", "http://h2:9080", id="the host"),
    pytest.param("http://h:9080/v1", "http://h:9080/v2", id="the path"),
    pytest.param("http://h:9080/V1", "http://h:9080/v1", id="the case of the path"),
    pytest.param("http://[::1]:9080", "http://[::2]:9080", id="the IPv6 address"),
])  # fmt: skip
def test_what_makes_a_difference(one: str, other: str) -> None:
    assert urls.endpoint(one) != urls.endpoint(other)
    assert not deployment("dp_1", url=one).is_at(other)


@pytest.mark.parametrize(
    "text", ["dp_1", "", "http://h:port", "http://[::1", "arn:aws:lambda:x:1:function:f"]
)
def test_a_deployment_is_not_at_what_is_no_url(text: str) -> None:
    assert not deployment("dp_1").is_at(text)


@pytest.mark.parametrize(("url", "expected"), [
    ("http://Orders:9080/", "http://orders:9080"),
    ("https://ops:hush@orders:443/v2/?a=b#c", "https://orders/v2"),
    ("http://[FD00::2]:9080", "http://[fd00::2]:9080"),
])  # fmt: skip
def test_a_deployment_has_one_name_however_its_url_is_written(url: str, expected: str) -> None:
    assert urls.in_one_form(url) == expected


@pytest.mark.parametrize(("url", "expected"), [
    pytest.param("http://h:9070", "http://h:9070", id="as it is"),
    pytest.param("https://h/base/path", "https://h/base/path", id="with a path"),
    pytest.param("http://user:hunter22@h:9070/base", "http://h:9070/base", id="without userinfo"),
    pytest.param("http://token@h", "http://h", id="without a user's name alone"),
    pytest.param("http://u:p@ss@h", "http://h", id="a password with an at sign"),
    pytest.param("http://u:p%40ss@[::1]:9070", "http://[::1]:9070", id="IPv6 with userinfo"),
    pytest.param("http://h/x?token=secret#secret", "http://h/x", id="without query and fragment"),
    pytest.param("http://h/@scope/x", "http://h/@scope/x", id="an at sign in the path stays"),
    pytest.param("user:hunter22@h:9070", "h:9070", id="without userinfo where the scheme was forgotten"),
    pytest.param("//user:hunter22@h:9070", "//h:9070", id="without userinfo where only the slashes are there"),
    pytest.param("http://user:hun/ter22@h:9070", "(a URL that cannot be parsed)", id="a password with a slash"),
    pytest.param("http://[::1", "(a URL that cannot be parsed)", id="a broken address"),
    pytest.param("dp_1", "dp_1", id="no URL at all"),
])  # fmt: skip
def test_shown(url: str, expected: str) -> None:
    assert urls.without_secrets(url) == expected


@pytest.mark.parametrize(("url", "expected"), [
    ("http://h:9070/base", "http://h:8080"),
    ("https://user:hunter22@h:9070", "https://h:8080"),
    ("http://[::1]:9070", "http://[::1]:8080"),
    ("http://h", "http://h:8080"),
])  # fmt: skip
def test_on_another_port_there_is_the_root_of_the_same_host_without_secrets(url: str, expected: str) -> None:
    assert urls.on_port(url, 8080) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:9070",
        "localhost",
        "ftp://h",
        "unix:/x",
        "http:///hunter22",
        "http://h:0",
        "http://h:x",
        "http://[::1",
    ],
)
def test_what_is_no_absolute_http_url_is_refused_without_its_text(url: str) -> None:
    with pytest.raises(ValueError, match=r"^it (is not an absolute|cannot be parsed)") as raised:
        urls.parse(url)
    assert "hunter22" not in str(raised.value)


# Deployments


@pytest.mark.parametrize(
    ("url", "other", "expected"),
    [
        ("http://h:9080", "https://h:9080/", True),
        ("http://h", "https://h", True),
        ("https://h:443", "https://h", True),
        ("http://h:80/x/", "http://H/x", True),
        ("http://h:443", "https://h:443", True),
        ("http://h:80", "https://h", False),
        ("http://h", "https://h:443", False),
        ("http://h:80", "https://h:443", False),
        ("http://h:9080/x", "https://h:9080/y", False),
        ("http://h:9080", "http://i:9080", False),
        ("http://[::1", "http://[::1", False),
    ],
)
def test_deployments_are_the_same_by_any_scheme_if_the_port_is_written_alike(
    url: str, other: str, expected: bool
) -> None:
    assert urls.is_same_endpoint(url, other) is expected
    assert urls.is_same_endpoint(other, url) is expected


@pytest.mark.parametrize(
    ("url", "given", "expected"),
    [
        ("http://h:9080/x/", "https://h:9080/x", "https://h:9080/x/"),
        ("https://h/", "http://h", "http://h/"),
        ("http://[::1]:9080/", "HTTPS://[::1]:9080", "https://[::1]:9080/"),
        ("http://h:9080/", "http://h:9080", "http://h:9080/"),
    ],
)
def test_a_url_keeps_all_but_its_scheme(url: str, given: str, expected: str) -> None:
    assert urls.by_scheme_of(url, given) == expected
