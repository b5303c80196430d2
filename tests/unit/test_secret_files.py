"""Settings that come from files, as containers get their secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from backend.settings import Settings


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSENT_SECRETS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_file_gives_the_setting_of_its_name(secrets: Path) -> None:
    (secrets / "assent_passphrase").write_text("Vu7-kkd9-0xmq-zzPl\n")
    settings = Settings(_env_file=None)
    assert settings.passphrase is not None
    assert settings.passphrase.get_secret_value() == "Vu7-kkd9-0xmq-zzPl"


def test_the_environment_goes_before_files(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secrets / "assent_tenant").write_text("from-a-file")
    assert Settings(_env_file=None).tenant == "from-a-file"
    monkeypatch.setenv("ASSENT_TENANT", "from-outside")
    assert Settings(_env_file=None).tenant == "from-outside"


def test_a_dotenv_file_may_name_the_directory(tmp_path: Path) -> None:
    (tmp_path / "assent_tenant").write_text("from-a-file")
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"ASSENT_SECRETS_DIRECTORY={tmp_path}\n")
    assert Settings(_env_file=dotenv).tenant == "from-a-file"


def test_a_directory_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSENT_SECRETS_DIRECTORY", str(tmp_path / "missing"))
    with pytest.raises(ValidationError, match="is no directory"):
        Settings(_env_file=None)
