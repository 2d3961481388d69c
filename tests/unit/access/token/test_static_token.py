"""Static tokens: the line format, its errors, and reloading of the file."""

import hashlib
import re
from pathlib import Path

import pytest

from steerway.access.identity import Identity
from steerway.access.result import UNAUTHENTICATED, Credential, Refusal
from steerway.access.token.shared_token import SharedToken
from steerway.access.token.static_token import MAX_TOKENS, StaticTokens, parse
from steerway.access.watched_files import ContentError

TOKEN = "t0ken-0123456789abcdef"
HASHED = f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}"


def tokens(path: Path, text: str) -> StaticTokens:
    path.write_text(text)
    return StaticTokens(path)


@pytest.mark.parametrize("token", [TOKEN, HASHED])
@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("shop/web", Identity("token", "shop", "web", name="shop/web")),
        ("ci", Identity("token", name="ci")),
        ("ci.eu-1", Identity("token", name="ci.eu-1")),
    ],
)
def test_a_token_has_the_identity_of_its_line(
    tmp_path: Path, token: str, text: str, identity: Identity
) -> None:
    """In plain text or as a hash; comments and empty lines are ignored."""
    result = tokens(tmp_path / "tokens", f"# for tests\n\nanother-token-0123456789,x\n  {token} , {text}\n")
    assert result.authenticate(Credential(TOKEN)) == identity


def test_an_unknown_token_is_refused_without_a_reason_for_the_client(tmp_path: Path) -> None:
    """No hint helps guessing; the log names the file."""
    authenticate = tokens(tmp_path / "tokens", f"{HASHED},ci").authenticate(Credential(HASHED))
    assert isinstance(authenticate, Refusal)
    assert authenticate.code == UNAUTHENTICATED
    assert "tokens" not in authenticate.client_message
    assert str(tmp_path / "tokens") in authenticate.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (TOKEN, "there is no comma"),
        (f"{TOKEN},", "is no identity"),
        (f"{TOKEN},shop/", "is no identity"),
        (f"{TOKEN},Shop/web", "is no identity"),
        (f"{TOKEN},shop/web/x", "is no identity"),
        (f"{TOKEN},a b", "is no identity"),
        ("short,ci", "shorter than 16 characters"),
        (f"{TOKEN} x,ci", "characters that no bearer token can have"),
        (f"sha256:{'a' * 63},ci", "not 64 lower-case hexadecimal digits"),
        (f"sha256:{'A' * 64},ci", "not 64 lower-case hexadecimal digits"),
        (f"{TOKEN},a\n{HASHED},b", "the token of line 2 is there again"),
    ],
)
def test_an_invalid_line_is_reported_without_its_token(tmp_path: Path, line: str, reason: str) -> None:
    """The error has file and line, never the secret."""
    with pytest.raises(ContentError, match=reason) as caught:
        tokens(tmp_path / "tokens", f"# first\n{line}\n")
    text = str(caught.value)
    assert re.search(rf"{re.escape(str(tmp_path / 'tokens'))}:[23]: ", text)
    assert TOKEN not in text
    assert caught.value.problem.hint


def test_a_file_has_a_bounded_number_of_tokens() -> None:
    """A stream costs one lookup for any number, but memory is bounded."""
    lines = "\n".join(f"{index:032d},n{index}" for index in range(MAX_TOKENS + 1))
    with pytest.raises(ContentError, match=f"^name:{MAX_TOKENS + 1}: there are more than"):
        list(parse(lines.encode(), "name"))


def test_a_binary_file_is_reported() -> None:
    """Such as a key in binary form."""
    with pytest.raises(ContentError, match=r"^name: is not UTF-8 text"):
        list(parse(b"\xff\xfe\x00", "name"))


async def test_the_file_is_reloaded_and_an_invalid_one_is_not_applied(tmp_path: Path) -> None:
    """A new token is accepted and the removed one refused; an invalid file is a problem and changes nothing."""
    path = tmp_path / "tokens"
    result = tokens(path, f"{TOKEN},old")
    path.write_text("another-token-0123456789,new")
    await result.files.look()
    assert isinstance(result.authenticate(Credential(TOKEN)), Refusal)
    assert result.authenticate(Credential("another-token-0123456789")) == Identity("token", name="new")
    path.write_text("another-token-0123456789")
    await result.files.look()
    assert result.authenticate(Credential("another-token-0123456789")) == Identity("token", name="new")
    assert result.files.problem is not None
    assert result.files.problem.where == f"{path}:1"
    path.write_text(f"{TOKEN},fixed")
    await result.files.look()
    assert result.authenticate(Credential(TOKEN)) == Identity("token", name="fixed")
    assert result.files.problem is None


async def test_the_shared_token_is_one_token_and_is_reloaded(tmp_path: Path) -> None:
    """Surrounding white space is ignored; a shorter text is an error."""
    path = tmp_path / "token"
    path.write_text(f"  {TOKEN}\n")
    shared = SharedToken(path)
    assert shared.accepts(TOKEN)
    assert not any(map(shared.accepts, ("", TOKEN[:-1], f"{TOKEN}x", "ü" * 20)))
    path.write_text("short")
    await shared.files.look()
    assert shared.accepts(TOKEN)
    assert shared.files.problem is not None
    path.write_text("another-token-0123456789")
    await shared.files.look()
    assert not shared.accepts(TOKEN)
    for bad in ("", "two words of 16 characters"):
        path.write_text(bad)
        with pytest.raises(ContentError, match="holds no token"):
            SharedToken(path)
