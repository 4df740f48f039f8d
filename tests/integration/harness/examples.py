"""conf-examples/ as the tests start them: the same files, with private paths and ports."""

import re

from .programs import REPOSITORY


def example(name, replacements):
    """The text of conf-examples/NAME with each key of `replacements` replaced by its value.

    A text that is not in the file is an error: the example and its test would drift apart.
    Longer texts are replaced first, so that a path and its parent can both be given.
    """
    text = (REPOSITORY / "conf-examples" / name).read_text()
    for old in sorted(replacements, key=len, reverse=True):
        if old not in text:
            raise AssertionError(f"conf-examples/{name} does not contain {old!r}")
        text = text.replace(old, str(replacements[old]))
    return text


def with_settings(text, settings):
    """`key = value` lines of a Postfix main.cf, replaced where they are, else appended."""
    for key, value in settings.items():
        line = f"{key} = {value}"
        text, count = re.subn(rf"(?m)^{re.escape(key)}\s*=.*(?:\n[ \t]+.*)*", lambda _: line, text)
        if count == 0:
            text += line + "\n"
    return text
