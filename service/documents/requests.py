"""What comes in: the version of a file, as pages of the site name it, and what a reader searches for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.requests import Request


class FileQuery(Request):
    """A version, or the words of a search, which the page itself looks up."""

    v: Annotated[str, Field(max_length=64, description="The version of a file that pages name; that one is for keeping.")] = ""
    q: Annotated[str, Field(max_length=1_000, description="What the page of the search looks for; it is read there alone.")] = ""
