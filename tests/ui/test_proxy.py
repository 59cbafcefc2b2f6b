"""The recipe for a reverse proxy fits what is installed and configured."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from pathlib import Path

import streamlit

REPOSITORY = Path(__file__).parents[2]
RECIPE = (REPOSITORY / "data" / "nginx.conf").read_text("utf-8")


def test_the_policy_allows_the_inline_script_of_the_installed_streamlit_and_no_other() -> None:
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    policy = re.search(r"script-src ([^;]*);", RECIPE)
    assert policy is not None
    assert policy[1] == " ".join(["'self' blob:", *(f"'sha256-{each}'" for each in hashes)])


def test_the_proxy_takes_files_as_large_as_the_app_does() -> None:
    configured = tomllib.loads((REPOSITORY / ".streamlit" / "config.toml").read_text("utf-8"))
    assert f"client_max_body_size {configured['server']['maxUploadSize']}m;" in RECIPE
