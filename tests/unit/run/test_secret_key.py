"""The key that signs sessions and customers' links: whole on the disk before it signs anything, and never one that anybody could guess."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.run.assembly import secret_key
from hearthwatch.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an installation that nobody has started yet."""
    return Settings(data_dir=tmp_path / "var")


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_a_file_that_holds_no_key_is_refused(settings: Settings, content: str) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "secret.key").write_text(content)
    with pytest.raises(Invalid, match=r"secret\.key.*backup"):
        secret_key(settings)


def test_a_first_start_on_a_full_disk_leaves_no_key_behind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(Unavailable, match="no space left"):
            secret_key(settings)
    assert list(settings.data_dir.iterdir()) == []
    assert len(secret_key(settings)) >= 32


def test_the_key_of_the_first_start_stays_and_is_ours_alone(settings: Settings) -> None:
    key = secret_key(settings)
    assert secret_key(settings) == key
    (file,) = settings.data_dir.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_can_not_be_made_is_said_plainly(settings: Settings) -> None:
    settings.data_dir.write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="var"):
        secret_key(settings)


@pytest.mark.parametrize("role", ["all", "api", "ingest", "jobs"])
def test_a_configured_key_that_can_be_guessed_is_refused_without_being_shown(tmp_path: Path, role: str) -> None:
    with pytest.raises(Invalid, match=r"secret_key: has 8 characters.*openssl rand") as refusal:
        secret_key(Settings(data_dir=tmp_path, secret_key=SecretStr("hunter2!")), role)
    assert "hunter2" not in str(refusal.value)
    assert secret_key(Settings(data_dir=tmp_path, secret_key=SecretStr("0123456789abcdef")), role) == "0123456789abcdef"
