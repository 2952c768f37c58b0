"""Usage: what was used and spent, what budgets have left, and what prompt caches have saved and lost."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response
from flask import request as current

from api.usage_query import UsageQuery, query_of
from core.errors import Forbidden
from schemas.cache import CacheRow
from schemas.caller import Caller
from schemas.codec import dumps
from schemas.context import ENVIRON_KEY, RequestContext
from schemas.limit import BudgetState
from schemas.spend import SpendRow
from services import Services
from services.roles import OPERATORS
from services.usage_ledger import total
from services.usage_table import as_csv, told


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("usage", __name__)

    def named(row: SpendRow) -> SpendRow:
        """The same row, with the name of the caller beside its id."""
        group: dict[str, str] = {}
        for column, value in row.group.items():
            group[column] = value
            if column == "key":
                group["key_name"] = services.access.name_of(value) or ""
        return SpendRow(group, row.spend)

    def budgets(context: RequestContext, key: str | None, *, operates: bool) -> list[BudgetState]:
        """Those that hold for whom is asked about, the caller by itself; to operators those of everybody as well."""
        whose = context.caller if key is None else services.access.by_id(key)
        own = services.spending.budgets(whose, context.client_ip) if key is None or whose is not None else []
        shared = services.spending.shared_budgets(services.routing.routable()) if operates else []
        return [*own, *shared]

    def report() -> Response:
        context: RequestContext = current.environ[ENVIRON_KEY]
        query = query_of(current.args, services.clock.now())
        operates = context.caller is None or context.caller.role in OPERATORS
        key = _whose(query, context.caller, operates)
        rows = [named(row) for row in services.usage.report(query.period, query.group_by, key)]
        if query.csv:
            columns = [part for one in query.group_by for part in ((one, "key_name") if one == "key" else (one,))]
            return Response(as_csv(columns, rows), mimetype="text/csv")
        body: dict[str, Any] = {
            "object": "usage",
            "from": _moment(query.period.since),
            "to": _moment(query.period.until),
            "group_by": query.group_by,
            "data": [told(row) for row in rows],
            "total": told(total(rows)),
            "budgets": [_budget(state) for state in budgets(context, key if operates else None, operates=operates)],
        }
        if operates:
            body["cache"] = _cache(services)
        return Response(dumps(body), mimetype="application/json")

    bp.add_url_rule("/v1/usage", "report", report)
    return bp


def _whose(query: UsageQuery, caller: Caller | None, operates: bool) -> str | None:
    """The id of the only caller whose usage is shown; None for all. Raises Forbidden."""
    if operates:
        return query.key
    own = caller.id if caller is not None else ""
    if query.key not in (None, own):
        raise Forbidden("Only operators may see what others have used.")
    return own


def _budget(state: BudgetState) -> dict[str, Any]:
    return {
        "scope": state.scope,
        "name": state.name,
        "window": state.window,
        "limit_usd": state.limit_usd,
        "spent_usd": state.spent_usd,
        "resets_at": _moment(state.resets_at),
    }


def _cache(services: Services) -> dict[str, Any]:
    cache = services.cache_ledger.report()
    return {"total": _row(cache.total), "by_key": _rows(cache.by_key), "by_session": _rows(cache.by_session)}


def _rows(rows: Sequence[CacheRow]) -> list[dict[str, Any]]:
    return [_row(row) for row in rows]


def _row(row: CacheRow) -> dict[str, Any]:
    seen = {name: value for name, value in row.model_dump(mode="json").items() if value is not None}
    last = datetime.fromtimestamp(row.last_seen, UTC).isoformat(timespec="milliseconds") if row.last_seen else None
    return {**seen, "last_seen": last, "hit_ratio": row.hit_ratio, "loss_ratio": row.loss_ratio}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
