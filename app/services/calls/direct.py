"""Call an account's API directly: by its integration, or by a unified model and its mapping."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.engine.errors import Failure, InvalidInputError, UnreadableSecretError
from app.engine.ids import parse_id
from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.record_errors import MappingError, RecordError, SourceError
from app.engine.redaction import choose_shown_paths
from app.engine.templating import request_paths
from app.engine.unified import model
from app.engine.unified.calls import UnifiedRequest
from app.services.calls.accounts import CalledAccounts, await_answer
from app.services.calls.ports import Seal, SealPurpose
from app.services.ports import FetchedPage, PageCall, PlainAnswer, RawBody, Source
from app.services.unified import mappings
from app.services.unified.mappings import UnifiedMappings, build_account_mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectRequest:
    """One call of one method."""

    account_id: str
    resource: str
    """``model/resource`` is a unified API's."""
    method: str
    id: str | None = None
    query: JsonObject = field(default_factory=dict)
    body: JSON = None
    raw_body: RawBody | None = None
    """In the place of ``body``."""
    limit: int | None = None
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectPage:
    """The result of a call."""

    records: list[JSON]
    next_cursor: str | None
    errors: Sequence[RecordError]
    """Of records that could not be mapped."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the mapping's answer."""
    is_list: bool = False
    """Its method lists records, page by page."""
    file: PlainAnswer | None = None
    """The answer itself, where it is a file that holds no records."""
    is_partial: bool = False
    """Some records are missing, by their errors or as the mapping says."""


class DirectCalls:
    """Calls the API of an account and waits for the answer, within a bounded time."""

    def __init__(
        self,
        *,
        called: CalledAccounts,
        unified: UnifiedMappings,
        source: Source,
        seal: Seal,
        timeout_seconds: float,
    ) -> None:
        self._called = called
        self._unified = unified
        self._source = source
        self._seal = seal
        self._timeout_seconds = timeout_seconds

    def call(self, environment_id: EnvironmentId, request: DirectRequest) -> DirectPage:
        """Fetch one page or one record; raise RecordError when the API or the mapping refuses the call."""
        account = self._called.admit(environment_id, request.account_id)
        call = self._build_page_call(account, request, self._called.config(account))
        answer = self._fetch(replace(_with_limit(call, request.limit), is_handed_on=True))
        if answer.fault is not None and not answer.is_suspicion:
            raise mappings.map_error(call, answer.fault)
        if answer.file is not None:
            return DirectPage(records=[], next_cursor=None, errors=(), file=answer.file)
        page = mappings.map_page(call, answer)
        if page.errors and request.method != "list":
            raise page.errors[0]
        return DirectPage(
            records=page.records,
            next_cursor=self._seal_cursor(request, page.next_cursor if page.leads_on else None),
            errors=page.errors,
            is_list=_is_list(call),
            headers=call.mapping.map_headers(page.records, page.headers) if call.mapping else {},
            is_partial=bool(page.errors)
            or (call.mapping is not None and call.mapping.is_partial(answer.records, answer.headers)),
        )

    def describe(self, environment_id: EnvironmentId, account_id: str, resource: str, method: str) -> JsonObject:
        """Describe a unified API's method, and the call that it makes, for an account."""
        name = model.parse_unified_name(resource)
        assert name is not None
        return self._unified.describe(self._called.get(environment_id, account_id), name, method)

    def _build_page_call(
        self, account: IntegratedAccount, request: DirectRequest, config: IntegrationConfig
    ) -> PageCall:
        cursor = self._open_cursor(request)
        request_paths.check_id(request.id or "")
        if name := model.parse_unified_name(request.resource):
            mapping, faults = self._unified.find(account, name, request.method)
            if request.raw_body is not None:
                faults = [*faults, Failure("", "a unified model's methods take JSON, which their mappings read")]
            if mapping is None or faults:
                raise InvalidInputError(faults)
            asked = UnifiedRequest(id=request.id, query=request.query, body=request.body)
            return build_account_mapping(mapping, account, config).build_page_call(asked, cursor)
        request_paths.check_resource(request.resource)
        request = _with_id(request, config)
        return PageCall(
            account_id=account.id,
            environment_id=account.environment_id,
            integration=account.integration_name,
            config=config,
            context=account.context,
            origins=account.origins,
            is_refused=account.is_refused,
            plain_paths=choose_shown_paths(config.plain_paths, account.plain_paths),
            resource=request.resource,
            method=request.method,
            id=request.id,
            query=request.query,
            body=request.body,
            raw_body=request.raw_body,
            cursor=cursor,
        )

    def _fetch(self, call: PageCall) -> FetchedPage:
        try:
            return await_answer(self._source.submit(call), timeout_seconds=self._timeout_seconds)
        except SourceError as error:
            raise mappings.map_error(call, error) from error

    def _seal_cursor(self, request: DirectRequest, cursor: JsonObject | None) -> str | None:
        if cursor is None:
            return None
        return self._seal.seal({"of": _place(request), "cursor": cursor}, SealPurpose.NEXT_CURSOR).decode()

    def _open_cursor(self, request: DirectRequest) -> JsonObject | None:
        if not request.next_cursor:
            return None
        try:
            opened = self._seal.open(request.next_cursor.encode(), SealPurpose.NEXT_CURSOR)
        except (UnreadableSecretError, UnicodeError, ValueError, json.JSONDecodeError):
            opened = None
        if not isinstance(opened, dict) or opened.get("of") != _place(request):
            raise InvalidInputError([Failure("next_cursor", "is not one that this list gave")])
        cursor = opened["cursor"]
        return cursor if isinstance(cursor, dict) else None


def _is_list(call: PageCall) -> bool:
    """Whether a method lists: by its name, or since its config says how it is paged."""
    pagination = call.config.find_method(call.resource, call.method).pagination
    return call.method == "list" or (pagination is not None and pagination is not call.config.defaults.pagination)


def _with_id(request: DirectRequest, config: IntegrationConfig) -> DirectRequest:
    """Return a request with the id of its query or body, where its method's path needs one and it has none."""
    method = config.methods.get((request.resource, request.method))
    if request.id is not None or method is None or ("id",) not in method.path.references:
        return request
    if isinstance(named := request.query.get("id"), str):
        request_paths.check_id(named)
        rest = {name: value for name, value in request.query.items() if name != "id"}
        return replace(request, id=named, query=rest)
    named = request.body.get("id") if isinstance(request.body, dict) else None
    if not isinstance(named, str | int) or isinstance(named, bool):
        return request
    request_paths.check_id(str(named))
    return replace(request, id=str(named))


def _place(request: DirectRequest) -> list[str]:
    return [parse_id(request.account_id) or "", request.resource, request.method]


def _with_limit(call: PageCall, limit: int | None) -> PageCall:
    """Return a call that requests so many records, where the integration has a parameter for that."""
    try:
        pagination = call.config.find_method(call.resource, call.method).pagination
    except SourceError as error:
        raise MappingError("method", error.message) from error
    name = getattr(pagination, "limit_param", None)
    if limit is None or name is None or name in call.query:
        return call
    return replace(call, query={**call.query, name: limit})
