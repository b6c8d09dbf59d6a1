"""The grammar of plain values in JSON (RFC 8259, sections 6 and 7), as expressions for RE2 over bytes.

What they match is valid where the bytes are valid UTF-8. Halves of surrogate pairs are left out, since not every
reader takes them.
"""

from __future__ import annotations

import re2

BYTES = re2.Options()
"""Expressions over bytes, with memory for one state for each place in a wide row."""
BYTES.encoding = re2.Options.Encoding.LATIN1
BYTES.max_mem = 8 << 20
BYTES.log_errors = False

_HEX = rb"[0-9a-fA-F]"
_CODE = rb"u(?:[0-9a-cefA-CEF]%s{3}|[dD][0-7]%s{2})" % (_HEX, _HEX)
_REST = rb'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|%s))*' % _CODE

# Letters as Python escapes them. No blank of `nested` has such a code, and no sign of JSON.
_LETTER = rb"\\u(?:00[c-fC-F]|0[1-9a-fA-F]%s|[13-9a-cA-CeE]%s%s)%s" % ((_HEX,) * 4)

_BLANK = rb"(?: |\\[nrtf])*"
# A first character behind which no JSON can begin. The marks and spaces of `nested` that are longer than a byte are
# left out one by one; the bytes behind the first of a longer character are those of UTF-8.
_HARMLESS = (
    rb'(?:[^"\\\x00-\x20{\[\xe2\xef]|\\[\\/b]'
    rb"|\xe2(?:[\x82-\xbf]|\x80[\x80-\x8a\x8c-\xbf]|\x81[\x80-\x9f\xa1-\xbf])"
    rb"|\xef(?:[\x80-\xba\xbc-\xbf]|\xbb[\x80-\xbe]))"
)
_OTHERS = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null"

PLAIN = rb'(?:"%s(?:(?:%s|%s)%s)?"|%s)' % (_BLANK, _HARMLESS, _LETTER, _REST, _OTHERS)
"""A value with nothing inside: no string that may be JSON itself, as `nested` tells them."""

ANY = rb'(?:"%s"|%s)' % (_REST, _OTHERS)
"""Any value that is neither an object nor an array."""
