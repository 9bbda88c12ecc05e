"""The credentials of the function's own role."""

from __future__ import annotations

import os


class RoleCredentials:
    """The role's, as Lambda gives them to each environment for as long as it lives."""

    def __init__(self) -> None:
        self.access_key = os.environ["AWS_ACCESS_KEY_ID"]
        self.secret_key = os.environ["AWS_SECRET_ACCESS_KEY"]
        self.token = os.environ.get("AWS_SESSION_TOKEN")
