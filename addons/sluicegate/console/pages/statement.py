"""A statement in colours. It is somebody else's text: the highlighter escapes it, and never runs or trusts it."""

from __future__ import annotations

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import BashLexer, PythonLexer, SqlLexer

_LONGEST = 65_536
_SQL = (
    "select",
    "with",
    "copy",
    "insert",
    "update",
    "delete",
    "create",
    "alter",
    "drop",
    "unload",
    "explain",
    "export",
)


def highlighted(text: str) -> Markup:
    """HTML: the statement as SQL, Python or shell by its first word, with everything in it escaped."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    first = shown.lstrip(" (\n\t")[:12].lower()
    if len(shown) > _LONGEST:
        return Markup('<pre class="statement">{}</pre>').format(shown)
    lexer = SqlLexer() if first.startswith(_SQL) else PythonLexer() if "import " in shown else BashLexer()
    formatter = HtmlFormatter(nowrap=True, classprefix="hl-")
    return Markup('<pre class="statement">{}</pre>').format(Markup(highlight(shown, lexer, formatter)))  # noqa: S704
