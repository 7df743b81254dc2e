"""Asking people to agree to a release, and their answers: bound to the bundle and to what they were shown."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from vitok.errors import Refused, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_json
from vitok.loop.notify import emit
from vitok.loop.project import Project
from vitok.loop.risk import risk_of
from vitok.registry import releases, requests, turns, versions
from vitok.registry.requests import Approval, Request
from vitok.release.approving import Agreement, Asked, hindrance, standing
from vitok.release.risk import Risk
from vitok.store.writing import begin_writing

MACHINES = frozenset({"", "vitok", "replay", "demo"})  # who makes changes without being a person


@dataclass(frozen=True)
class Wish:
    """How a version is to be released.

    Args:
        strategy, flag: None for the charter's way.
        actor: Who wants it.
    """

    strategy: str | None
    flag: str | None
    actor: str


def require_agreement(
    project: Project, version: versions.Version, released: releases.Release | None, wish: Wish
) -> Risk:
    """The risk class of a release, if everybody whom the charter wants to be asked has agreed to exactly this.

    If they have not been asked, they are asked now.

    Raises:
        Refused: somebody still has to answer.
    """
    risk, _ = risk_of(project, version, released)
    roles = getattr(project.charter.approve, risk)
    if roles == "auto":
        return risk
    with project.engine.begin() as connection:
        begin_writing(connection)
        request = requests.open_of(connection, version.number)
        if request is not None:
            state = _settle(project, connection, request)
            if state in ("open", "approved") and (request.strategy, request.flag) != (
                wish.strategy,
                wish.flag,
            ):
                state = "superseded"
                _end(connection, request, state, "it was asked for in another way", project.clock())
            if state == "approved":
                return risk
            if state != "open":
                request = None
        if request is None:
            request = _ask(project, connection, version, released, wish)
        waiting = [each for each in requests.approvals_of(connection, request.number) if each.answer is None]
    asked = ", ".join(f"{each.id} ({each.role.replace('_', ' ')})" for each in waiting)
    raise Refused(
        f"version {version.number}",
        f"the change is of class {risk} and waits for {asked}",
        f"See `vitok approvals show {request.name}`; each of them says `vitok approve ID`.",
    )


def settle_requests(project: Project) -> list[Request]:
    """Ends requests that have expired or that something has overtaken.

    Returns:
        Those to which everybody has agreed, and that are to be released now.
    """
    with project.engine.begin() as connection:
        begin_writing(connection)
        found = requests.all_open(connection)
        ready = [request for request in found if _settle(project, connection, request) == "approved"]
        return [requests.get(connection, request.number) for request in ready]


def mark_released(project: Project, connection: Connection, version: int) -> None:
    """Ends the request of a version in the transaction that releases it, so that no answer can be taken back later."""
    request = requests.open_of(connection, version)
    if request is not None:
        _end(connection, request, "released", "everybody agreed", project.clock())


def answer_approval(
    project: Project, approval_id: str, *, yes: bool, who: str, reason: str, link: str | None = None
) -> dict[str, Any]:
    """Gives one answer to a request.

    Args:
        who: The person; with a team in the charter one of it, in the role that is asked.
        reason: In the person's words; a no needs one.
        link: Digest of the link that the answer came by, which is used up with it.

    Raises:
        NotFound: there is no such approval.
        UserMistake: it has been answered, the request has ended, or a no has no reason.
        Refused: this person may not answer, or something has changed since people were asked.
    """
    if not yes and not reason.strip():
        raise UserMistake("--reason", "a no needs a reason", 'Add --reason "...": it stands in the record.')
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        approval, request = _open(connection, approval_id)
        if approval.answer is not None:
            what = f"was answered with {approval.answer} by {approval.actor}"
            remedy = "`vitok approvals withdraw` takes an answer back."
            raise UserMistake(f"approval {approval_id}", what, remedy)
        _require_able(project, connection, approval, request, who)
        if digest_json(_shown(project, connection, request.version, _wish(request))) != request.evidence:
            _end(connection, request, "superseded", "something has changed since people were asked", now)
            overtaken = True
        else:
            overtaken = False
            said = {"answer": "yes" if yes else "no", "answered": now, "actor": who, "reason": reason}
            requests.answer(connection, approval_id, **said)
            if link is not None:
                requests.use_link(connection, link, approval_id, who, now)
            _record(project, connection, who, "approve" if yes else "reject", approval_id, request, reason)
            _settle(project, connection, request)
        result = request_json(connection, requests.get(connection, request.number))
    if overtaken:
        what = "something has changed since people were asked: champion, gates or charter"
        raise Refused(f"approval {approval_id}", what, f"Ask anew with `vitok release {request.version}`.")
    return result


def withdraw(project: Project, name: str, *, who: str, reason: str) -> dict[str, Any]:
    """Takes back an answer (`r3.1`) before the release, or a whole request (`r3`).

    Raises:
        NotFound: there is none.
        UserMistake: there is nothing to take back, or no reason is given.
        Refused: somebody else gave the answer, or made the request.
    """
    if not reason.strip():
        raise UserMistake("--reason", "withdrawing needs a reason", 'Add --reason "...".')
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        if "." in name:
            approval, request = _open(connection, name)
            if approval.answer is None:
                raise UserMistake(
                    f"approval {name}", "has not been answered", "There is nothing to take back."
                )
            _require_same(f"approval {name}", approval.actor, who)
            nothing = {"answer": None, "answered": None, "actor": None, "reason": ""}
            requests.answer(connection, name, **nothing)
            requests.change(connection, request.number, state="open")
        else:
            request = requests.get(connection, _number(name))
            if request.state not in ("open", "approved"):
                raise UserMistake(f"request {name}", f"is {request.state}", "There is nothing to take back.")
            _require_same(f"request {name}", request.actor, who)
            _end(connection, request, "withdrawn", reason, now)
        _record(project, connection, who, "withdraw", name, request, reason)
        return request_json(connection, requests.get(connection, request.number))


def delegate(project: Project, approval_id: str, *, to: str, who: str) -> dict[str, Any]:
    """Hands an open answer over to another person, for this request alone.

    Raises:
        NotFound: there is no such approval.
        Refused: whoever hands it over could not give it, or whoever gets it is an author of the change.
    """
    with project.engine.begin() as connection:
        begin_writing(connection)
        approval, request = _open(connection, approval_id)
        if approval.answer is not None:
            raise UserMistake(
                f"approval {approval_id}", "has been answered", "There is nothing to hand over."
            )
        _require_able(project, connection, approval, request, who)
        if to in _asked(request, approval).authors:
            raise Refused(to, "made this change, or wants it released", "Choose another person.")
        requests.answer(connection, approval_id, person=to)
        _record(project, connection, who, "delegate", approval_id, request, f"to {to}")
        return request_json(connection, request)


def find_request(project: Project, name: str) -> dict[str, Any]:
    """The object that `vitok approvals show r3 --json` prints: what people are asked, and what they said.

    Raises:
        NotFound: there is no such request.
    """
    with project.engine.connect() as connection:
        request = requests.get(connection, _number(name.partition(".")[0]))
        return {**request_json(connection, request), "shown": request.shown}


def request_json(connection: Connection, request: Request) -> dict[str, Any]:
    """A request with its approvals as JSON values."""
    found = requests.approvals_of(connection, request.number)
    return {
        "request": request.name,
        "version": request.version,
        "digest": request.digest,
        "risk": request.risk,
        "strategy": request.strategy,
        "state": request.state,
        "asked": format_time(request.asked),
        "by": request.actor,
        "author": request.author,
        "ended": None if request.ended is None else format_time(request.ended),
        "reason": request.reason,
        "evidence": request.evidence,
        "approvals": [_approval_json(each) for each in found],
    }


def _approval_json(approval: Approval) -> dict[str, Any]:
    return {
        "id": approval.id,
        "role": approval.role,
        "person": approval.person,
        "expires": None if approval.expires is None else format_time(approval.expires),
        "answer": approval.answer,
        "answered": None if approval.answered is None else format_time(approval.answered),
        "by": approval.actor,
        "reason": approval.reason,
    }


def _ask(
    project: Project,
    connection: Connection,
    version: versions.Version,
    released: releases.Release | None,
    wish: Wish,
) -> Request:
    now, approve = project.clock(), project.charter.approve
    shown = _shown(project, connection, version.number, wish)
    values = {
        "version": version.number,
        "digest": version.digest,
        "champion": None if released is None else released.version,
        "risk": shown["risk"],
        "asked": now,
        "author": turns.get(connection, version.turn).actor,
        "actor": wish.actor,
        "strategy": wish.strategy,
        "flag": wish.flag,
        "shown": shown,
        "evidence": digest_json(shown),
    }
    request = requests.ask(connection, values, list(getattr(approve, shown["risk"])), now + approve.within)
    for approval in requests.approvals_of(connection, request.number):
        question = f"Release version {version.number}? It is a change of class {request.risk}: "
        told = {
            "approval": approval.id,
            "role": approval.role,
            "question": question + "; ".join(shown["differences"]),
            "version": version.number,
            "until": None if approval.expires is None else int(approval.expires.timestamp()),
        }
        emit(connection, project.charter, now, "question", f"approval {approval.id}", told)
    _record(project, connection, wish.actor, "ask", request.name, request, "")
    return request


def _shown(project: Project, connection: Connection, number: int, wish: Wish) -> dict[str, Any]:
    """All that people see when they decide: what changes, by whom it was judged, and how it would be released."""
    version, released = versions.get(connection, number), releases.current(connection)
    risk, differences = risk_of(project, version, released)
    return {
        "version": number,
        "digest": version.digest,
        "champion": None if released is None else released.version,
        "risk": risk,
        "differences": differences,
        "verdict": version.verdict,
        "gates": version.gates,
        "metrics": version.metrics,
        "data": version.summary.get("data"),
        "strategy": wish.strategy or project.charter.release.strategy,
    }


def _settle(project: Project, connection: Connection, request: Request) -> str:
    """Writes down where a request stands now."""
    found = requests.approvals_of(connection, request.number)
    shown = _shown(project, connection, request.version, _wish(request))
    roles = getattr(project.charter.approve, shown["risk"])
    agreements = [Agreement(each.role, each.person, each.answer, each.actor) for each in found]
    now = project.clock()
    state = standing(
        _asked(request, found[0]), agreements, digest_json(shown), () if roles == "auto" else roles, now
    )
    if state in ("refused", "expired", "superseded"):
        said = next((each for each in found if each.answer == "no"), None)
        reason = {
            "refused": f"{said.actor}: {said.reason}" if said else "",
            "expired": "nobody answered in time",
            "superseded": "something has changed since people were asked: champion, gates or charter",
        }[state]
        _end(connection, request, state, reason, now)
    elif state != request.state:
        requests.change(connection, request.number, state=state)
    return state


def _end(connection: Connection, request: Request, state: str, reason: str, now: Any) -> None:
    requests.change(connection, request.number, state=state, ended=now, reason=reason)
    details = {"state": state, "version": request.version, "digest": request.digest, "reason": reason}
    audit.record(connection, now, "vitok", "end request", f"approval {request.name}", details)


def _require_able(
    project: Project, connection: Connection, approval: Approval, request: Request, who: str
) -> None:
    others = [each for each in requests.approvals_of(connection, request.number) if each.id != approval.id]
    agreements = [Agreement(each.role, each.person, each.answer, each.actor) for each in others]
    mine = Agreement(approval.role, approval.person, approval.answer, approval.actor)
    team = project.charter.team
    problem = hindrance(_asked(request, approval), mine, agreements, who, team, project.clock())
    if problem is not None:
        able = [
            person for person, roles in team.items() if approval.role in roles and person != request.author
        ]
        raise Refused(who, problem, f"Ask {' or '.join(able)} (--as NAME)." if able else "Ask somebody else.")


def _require_same(place: str, owner: str | None, who: str) -> None:
    if owner != who:
        raise Refused(place, f"was given by {owner}, not by {who}", f"Ask {owner} (--as NAME).")


def _asked(request: Request, approval: Approval) -> Asked:
    return Asked(frozenset({request.author, request.actor} - MACHINES), approval.expires, request.evidence)


def _open(connection: Connection, approval_id: str) -> tuple[Approval, Request]:
    approval = requests.approval(connection, approval_id)
    request = requests.get(connection, approval.request)
    if request.state not in ("open", "approved"):
        what = f"its request is {request.state}: {request.reason}"
        raise UserMistake(
            f"approval {approval_id}", what, f"Ask anew with `vitok release {request.version}`."
        )
    return approval, request


def _wish(request: Request) -> Wish:
    return Wish(request.strategy, request.flag, request.actor)


def _number(name: str) -> int:
    if not (name.startswith("r") and name[1:].isdecimal()):
        raise UserMistake(
            f"request {name!r}", "is no name of a request", "Write such as r3; see `vitok approvals`."
        )
    return int(name[1:])


def _record(
    project: Project, connection: Connection, who: str, act: str, name: str, request: Request, reason: str
) -> None:
    details = {
        "version": request.version,
        "digest": request.digest,
        "risk": request.risk,
        "evidence": request.evidence,
        "reason": reason,
    }
    audit.record(connection, project.clock(), who, act, f"approval {name}", details)
