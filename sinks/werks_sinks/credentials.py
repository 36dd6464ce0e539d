"""Who asks an S3 store: what the options say, else the environment, else the usual files."""

import os
from collections.abc import Mapping
from configparser import ConfigParser, Error
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from werks.errors import SinkError

if TYPE_CHECKING:
    from obstore.store import S3Credential


@attrs.frozen
class Keys:
    """An access key, its secret and a session's token; neither is ever printed."""

    access_key: str = attrs.field(repr=False)
    secret_key: str = attrs.field(repr=False)
    token: str | None = attrs.field(default=None, repr=False)

    def __call__(self) -> "S3Credential":
        """Return them as the client asks for them."""
        return {
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "token": self.token,
            "expires_at": None,
        }


def keys(access_key: str | None, secret_key: str | None) -> Keys | None:
    """Return the keys of the options or of ~/.aws/credentials; None where the client looks itself.

    It looks at the environment, then for a role of the web, the container or the machine.
    """
    if access_key and secret_key:
        return Keys(access_key, secret_key)
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return None
    found = _profile("AWS_SHARED_CREDENTIALS_FILE", "credentials", "")
    key, secret = found.get("aws_access_key_id"), found.get("aws_secret_access_key")
    return Keys(key, secret, found.get("aws_session_token")) if key and secret else None


def region(given: str | None) -> str | None:
    """Return the region of the option or of ~/.aws/config; None where the client looks itself."""
    if given or "AWS_REGION" in os.environ or "AWS_DEFAULT_REGION" in os.environ:
        return given
    return _profile("AWS_CONFIG_FILE", "config", "profile ").get("region")


def _profile(variable: str, name: str, prefix: str) -> Mapping[str, str]:
    """Return the chosen section of one of the two files that all tools of AWS share."""
    path = Path(os.environ.get(variable) or Path.home() / ".aws" / name)
    chosen = os.environ.get("AWS_PROFILE", "default")
    parser = ConfigParser(interpolation=None, default_section="")
    try:
        parser.read(path)
    except (Error, UnicodeDecodeError):  # whose words would quote a line of the file
        raise SinkError(f"{path} cannot be read; mend it, or set access_key") from None
    section = chosen if chosen == "default" else f"{prefix}{chosen}"
    return dict(parser[section]) if section in parser else {}
