"""Merkle trees of RFC 6962, section 2.1: hashes, growing trees, inclusion and consistency proofs.

Hashes are 32 bytes (SHA-256). A tree is made of leaf hashes by index; a proof is a list of hashes from the leaf upward.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

HASH_SIZE = 32
EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""
_NODE = hashlib.sha256(b"\x01")
_LEAF = hashlib.sha256(b"\x00")

Subtree = Callable[[int, int], bytes]
"""The hash of the complete subtree of 2**level leaves whose number at that level is index. May raise."""


class ProofError(ValueError):
    """A proof that does not prove."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    digest = _LEAF.copy()
    digest.update(data)
    return digest.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    digest = _NODE.copy()
    digest.update(left + right)
    return digest.digest()


class Range:
    """A tree that only grows, kept as the roots of its complete subtrees, the largest first (a compact range)."""

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        if len(roots) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees, not {len(roots)}")
        self.size = size
        self._roots = list(roots)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash on the right."""
        size, roots = self.size, self._roots
        while size & 1:
            leaf = node_hash(roots.pop(), leaf)
            size >>= 1
        roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree as it is."""
        if not self._roots:
            return EMPTY
        *rest, found = self._roots
        for root in reversed(rest):
            found = node_hash(root, found)
        return found

    def copy(self) -> Range:
        return Range(self.size, self._roots)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree of these leaf hashes."""
    tree = Range()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def complete(begin: int, end: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees that cover the leaves from `begin` to `end`, as a tree of `end` has them.

    `begin` must be where such a subtree can begin, as 0 always is.
    """
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def range_of(size: int, subtree: Subtree) -> Range:
    """The tree of the first `size` leaves."""
    return Range(size, [subtree(level, index) for level, index in complete(0, size)])


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size` leaves (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    return _path(index, 0, size, subtree)


def consistency(old: int, size: int, subtree: Subtree) -> list[bytes]:
    """The proof that the tree of `size` leaves begins with the tree of `old` leaves (RFC 6962, 2.1.2)."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} leaves does not begin with one of {old}")
    return _between(old, 0, size, subtree, whole=True) if 0 < old < size else []


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Raises ProofError unless the proof shows the leaf hash at `index` under `root`."""
    if not 0 <= index < size:
        raise ProofError("the index is beyond the tree")
    _hashes(leaf, root, *proof)
    inner = (index ^ (size - 1)).bit_length()
    border = (index >> inner).bit_count()
    if len(proof) != inner + border:
        raise ProofError(f"the proof has {len(proof)} hashes, and {inner + border} belong in it")
    found = _chain(_up(leaf, proof[:inner], index), proof[inner:])
    if found != root:
        raise ProofError("the proof leads to another root")


def check_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """Raises ProofError unless the proof shows that the tree of `old` leaves is the beginning of that of `size`."""
    if old > size or old < 0:
        raise ProofError("the tree has shrunk")
    _hashes(old_root, root, *proof)
    if old in (0, size):
        if proof:
            raise ProofError("such a proof is empty")
        if old_root != (root if old else EMPTY):
            raise ProofError("two trees of one size have different roots")
        return
    if not proof:
        raise ProofError("the proof is empty")
    inner = ((old - 1) ^ (size - 1)).bit_length()
    shift = (old & -old).bit_length() - 1
    inner -= shift
    seed, rest = (old_root, proof) if old == 1 << shift else (proof[0], proof[1:])
    border = ((old - 1) >> shift >> inner).bit_count()
    if len(rest) != inner + border:
        raise ProofError(f"the proof has {len(proof)} hashes, which is not right for these sizes")
    mask = (old - 1) >> shift
    left = seed
    for level, other in enumerate(rest[:inner]):
        if mask >> level & 1:
            left = node_hash(other, left)
    if _chain(left, rest[inner:]) != old_root:
        raise ProofError("the proof does not lead to the old root")
    if _chain(_up(seed, rest[:inner], mask), rest[inner:]) != root:
        raise ProofError("the proof does not lead to the new root")


def _hashes(*given: bytes) -> None:
    if any(len(one) != HASH_SIZE for one in given):
        raise ProofError(f"a hash has {HASH_SIZE} bytes")


def _up(found: bytes, others: Sequence[bytes], index: int) -> bytes:
    for level, other in enumerate(others):
        found = node_hash(other, found) if index >> level & 1 else node_hash(found, other)
    return found


def _chain(found: bytes, others: Sequence[bytes]) -> bytes:
    for other in others:
        found = node_hash(other, found)
    return found


def _subroot(begin: int, end: int, subtree: Subtree) -> bytes:
    *rest, found = [subtree(level, index) for level, index in complete(begin, end)]
    for root in reversed(rest):
        found = node_hash(root, found)
    return found


def _split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def _path(index: int, begin: int, end: int, subtree: Subtree) -> list[bytes]:
    if end - begin == 1:
        return []
    middle = begin + _split(end - begin)
    if index < middle:
        return [*_path(index, begin, middle, subtree), _subroot(middle, end, subtree)]
    return [*_path(index, middle, end, subtree), _subroot(begin, middle, subtree)]


def _between(old: int, begin: int, end: int, subtree: Subtree, *, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [_subroot(begin, end, subtree)]
    middle = begin + _split(end - begin)
    if old <= middle:
        return [*_between(old, begin, middle, subtree, whole=whole), _subroot(middle, end, subtree)]
    return [*_between(old, middle, end, subtree, whole=False), _subroot(begin, middle, subtree)]
