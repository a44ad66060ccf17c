"""Small reading functions on gated trees: children by exact, namespace-free path; text of a simple element.

Always absolute child steps, never a search: what is found is where it must be. Never used on elements outside
`Report.covered` for a pupil's data.
"""

from __future__ import annotations

from collections.abc import Iterator

from signing.xml.gate import Element


def local_name(element: Element) -> str:
    """Tag without its namespace."""
    tag = str(element.tag)
    return tag.rpartition("}")[2] if tag.startswith("{") else tag


def children(element: Element, path: str) -> Iterator[Element]:
    """All elements reached by the child steps of `path` ("A/B"); "" or "." is the element itself."""
    if path and path != "." and "/" not in path:
        return element.iterchildren(path)
    names = [name for name in path.split("/") if name not in ("", ".")]
    found = [element]
    for name in names:
        found = [item for parent in found for item in parent.iterchildren(name)]
    return iter(found)


def child(element: Element, path: str) -> Element | None:
    """The only element at `path`, or None when there is none or more than one."""
    found = list(children(element, path))
    return found[0] if len(found) == 1 else None


def text_of(element: Element) -> str | None:
    """Trimmed text of a simple element; None when it has child elements."""
    if len(element):
        return None
    return (element.text or "").strip()


def child_text(element: Element, path: str) -> str | None:
    """Trimmed text of the only simple element at `path`; None when absent, repeated or not simple."""
    found = child(element, path)
    return None if found is None else text_of(found)


def child_path(element: Element, root: Element) -> str:
    """Where an element stands below `root`, for messages: local names joined by "/"."""
    names: list[str] = []
    node: Element | None = element
    while node is not None and node is not root:
        names.append(local_name(node))
        node = node.getparent()
    return "/".join(reversed(names)) or "."
