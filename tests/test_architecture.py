"""What import contracts cannot see: writers of states, long tasks and files, clocks, time-outs, swallowed errors.

Everything is read from the source as a tree; nothing is imported. An exception to a rule stands here by name with its
reason, and one that is no longer needed fails too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
ROOMS = ("signing", "gateway", "portal", "deploy")
MOST_LINES = 400
MOST_STATEMENTS = 5

# The lifecycle of each kind of row: the only modules that may write its state, and whose row it is.
STATE_WRITERS = {
    "gateway/outbox/claiming.py": "Submission: claimed",
    "gateway/outbox/leases.py": "Submission: its lease ran out, or its worker is dead for certain",
    "gateway/outbox/enqueueing.py": "Submission: born QUEUED",
    "gateway/outbox/officer.py": "Submission: held, released, requeued by a person",
    "gateway/outbox/settling.py": "Submission: what an attempt came to",
    "gateway/circuit.py": "Endpoint: paused and open again",
    "portal/records/dispatch.py": "Record: DISPATCHED with the outbox row, ADMITTED again when a package is refused",
    "portal/records/disputes.py": "Record: a person decides what the two engines disagree on",
    "portal/records/processing/storing.py": "Record: the verdict, with its row",
    "portal/records/processing/working.py": "Batch: OPENED, REFUSED, PROCESSED",
    "portal/records/recall.py": "Recall: asked for, decided, sent",
    "portal/schools/register.py": "Certificate: asked for, approved, declined, withdrawn",
}
WRITING_CALLS = {"update", "create", "write", "get_or_create", "update_or_create", "bulk_update"}
ROWS_WITH_A_STATE = {"Batch", "Record", "Recall", "Submission", "Certificate", "Endpoint"}
SQL_SETS_STATE = re.compile(r"\bSET\b(?:(?!\bWHERE\b).)*\bstate\s*=", re.DOTALL)

# Below the edge: `now` and randomness come in as arguments (a clock may come in as a callable).
BELOW_THE_EDGE = (
    "signing/",
    "gateway/outbox/",
    "gateway/exchange/",
    "portal/records/",
    "portal/schools/",
    "portal/audit/",
)
AT_THE_EDGE = re.compile(r"/(tasks|management/.*|migrations/.*)\.py$|/management/|/migrations/")
CLOCKS = {"now", "utcnow", "today", "time", "localtime", "gmtime"}
CLOCK_OWNERS = {"datetime", "date", "timezone", "time"}
RANDOM_OWNERS = {"random", "secrets"}
RANDOM_NAMES = {"uuid1", "uuid4", "urandom", "SystemRandom", "token_hex", "token_urlsafe", "token_bytes", "randbelow"}
CLOCK_EXCEPTIONS = {
    "signing/command.py": "the edge: the command line of an inspector's laptop",
    "portal/records/dispatch.py": "a submission's UUID is its identity, made where the row is born; it decides nothing",
    "portal/records/recall.py": "a submission's UUID is its identity, made where the row is born; it decides nothing",
    "portal/records/intake.py": "the id of a hand-in whose sender gave none; it decides nothing",
    "portal/records/uploading.py": "the edge: the upload handler that Django makes itself, without arguments",
    "portal/records/reporting.py": "the edge: the department's reports, asked for by a command or a page",
    "portal/audit/notices.py": "the edge: notices of the login library come as signals without a time",
}

TIMED_CALLS = {"urlopen", "create_connection", "HTTPConnection", "HTTPSConnection"}
VERBS = {"get", "post", "put", "delete", "head", "request", "send"}
TIMEOUT_EXCEPTIONS: dict[str, str] = {}


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    paths = [HOUSE / "manage.py", *(path for room in ROOMS for path in sorted((HOUSE / room).rglob("*.py")))]
    return tuple((path.relative_to(HOUSE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, str]]:
    """Every call with the name that is called and the name before its last dot."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            yield node, node.func.id, ""
        elif isinstance(node.func, ast.Attribute):
            yield node, node.func.attr, last_name(node.func.value)


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return last_name(node.func) if isinstance(node, ast.Call) else ""


def keywords(call: ast.Call) -> set[str]:
    return {keyword.arg or "**" for keyword in call.keywords}


def is_production(path: str) -> bool:
    """The simulator and the rehearsal are the other side of the wire: they keep rows and clocks of their own."""
    return not path.startswith(("gateway/simulator/", "portal/rehearsal/"))


def judged(found: dict[str, list[int]], allowed: dict[str, str]) -> None:
    """Nothing outside what is allowed, and nothing allowed that no longer happens."""
    strangers = {f"{path}:{lines}" for path, lines in found.items() if path not in allowed}
    assert not strangers
    assert set(allowed) <= set(found), "an exception that is no longer needed: take it out of this file"


def test_a_state_is_written_only_by_the_lifecycle_of_its_row():
    found: dict[str, list[int]] = {}
    for path, tree in sources():
        if is_production(path) and "/migrations/" not in path:
            lines = list(state_writes(tree))
            if lines:
                found[path] = lines
    judged(found, STATE_WRITERS)


def state_writes(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(one, ast.Attribute) and one.attr == "state" for one in targets):
                yield node.lineno
        elif names_the_column(node):
            yield node.lineno
    for call, name, owner in calls(tree):
        if "state" in keywords(call) and (name in WRITING_CALLS or name in ROWS_WITH_A_STATE):
            yield call.lineno
        if (
            name == "setattr"
            and not owner
            and any(isinstance(a, ast.Constant) and a.value == "state" for a in call.args)
        ):
            yield call.lineno


def names_the_column(node: ast.AST) -> bool:
    """SQL that sets the state, or a list of columns to be written that begins with it."""
    if isinstance(node, ast.Tuple):
        return bool(node.elts) and is_text(node.elts[0], "state")
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(SQL_SETS_STATE.search(node.value))


def is_text(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def test_the_body_of_a_task_has_at_most_five_statements():
    tasks = [(path, node) for path, tree in sources() for node in ast.walk(tree) if is_task(node)]
    assert len(tasks) >= 8
    long = [f"{path}: {node.name}" for path, node in tasks if statements(node) > MOST_STATEMENTS]
    assert not long


def is_task(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        last_name(one) in ("shared_task", "task") for one in node.decorator_list
    )


def statements(function: ast.AST) -> int:
    """Statements at any depth, without the docstring."""
    inner = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and node is not function]
    return sum(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in inner)


def test_every_call_over_the_network_has_a_time_out():
    found: dict[str, list[int]] = {}
    for path, tree in sources():
        for call, name, owner in calls(tree):
            goes_out = name in TIMED_CALLS or (name in VERBS and ("session" in owner.lower() or owner == "requests"))
            is_store = owner == "session" and name in ("get", "pop")  # request.session of Django
            positional = name == "create_connection" and len(call.args) > 1
            if goes_out and not is_store and not positional and not {"timeout", "**"} & keywords(call):
                found.setdefault(path, []).append(call.lineno)
    judged(found, TIMEOUT_EXCEPTIONS)


def test_below_the_edge_nobody_asks_the_clock_or_chance():
    found: dict[str, list[int]] = {}
    for path, tree in sources():
        if not path.startswith(BELOW_THE_EDGE) or AT_THE_EDGE.search(path):
            continue
        for call, name, owner in calls(tree):
            asks_clock = name in CLOCKS and owner in CLOCK_OWNERS and not call.args
            if asks_clock or owner in RANDOM_OWNERS or name in RANDOM_NAMES or (name == "now" and call_of_utc(call)):
                found.setdefault(path, []).append(call.lineno)
    judged(found, CLOCK_EXCEPTIONS)


def call_of_utc(call: ast.Call) -> bool:
    """datetime.now(UTC): the only clock that is called with an argument."""
    return isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "datetime"


def test_no_file_is_longer_than_a_reader_s_patience():
    long = []
    for folder in (*ROOMS, "tests"):
        for path in (HOUSE / folder).rglob("*.py"):
            if "migrations" not in path.parts and len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES:
                long.append(path.relative_to(HOUSE).as_posix())
    assert not long


def test_no_error_is_swallowed_without_a_word():
    found = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and is_broad(node.type) and says_nothing(node.body):
                found.append(f"{path}:{node.lineno}")
        found += [
            f"{path}:{call.lineno}"
            for call, name, _ in calls(tree)
            if name == "suppress" and any(map(is_broad, call.args))
        ]
    assert not found


def is_broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or last_name(one) in ("Exception", "BaseException") for one in kinds)


def says_nothing(body: list[ast.stmt]) -> bool:
    return all(isinstance(one, ast.Pass | ast.Continue) for one in body)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("row.state = 'X'", True),
        ("rows.update(state='X')", True),
        ("Batch(state='X')", True),
        ("setattr(row, 'state', 'X')", True),
        ("sql('UPDATE t SET a = 1, state = 2 WHERE b = 3')", True),
        ("rows.filter(state='X')", False),
        ("sql('UPDATE t SET a = 1 WHERE state = 3')", False),
        ("state = row.state", False),
    ],
)
def test_the_watch_over_states_sees_what_it_must(source, expected):
    assert bool(list(state_writes(ast.parse(source)))) is expected
