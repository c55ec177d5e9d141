"""The addresses of a service."""

from typing import Any

import jinja2
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tfcnn import __version__
from tfcnn.export.page import service_page
from tfcnn.serve import schemas
from tfcnn.serve.answering import Answerer
from tfcnn.serve.exchange import GONE, KEY, Receive, Scope, Send
from tfcnn.serve.gate import FAULT, MODULES, PREDICT
from tfcnn.serve.metering import CONTENT_TYPE, Meter
from tfcnn.serve.service_limits import MB, Memory, Refused
from tfcnn.serve.service_settings import Settings
from tfcnn.serve.uploads import Holding

TEMPLATES = "tfcnn.serve", "templates"
# a page for people without a script
DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class _Refusal(Response):
    """An error, sent as the gate sends its own."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(status_code=refusal.status)
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope[KEY].refuse(self._refusal)


def make(answerer: Answerer, meter: Meter, settings: Settings) -> FastAPI:
    """Return the application that answers for a run."""
    app = FastAPI(
        title="tfcnn serve",
        version=__version__,
        description="The answers of `tfcnn predict` over HTTP.",
        docs_url=None,  # FastAPI's own pages load their scripts from the network
        redoc_url=None,
        redirect_slashes=False,
    )
    guarded: dict[str, Any] = {"responses": schemas.problems(421)}
    if settings.token:
        scheme = HTTPBearer(auto_error=False, description="The gate compares it.")
        guarded = {"responses": schemas.problems(401), "dependencies": [Depends(scheme)]}
    _add_docs(app, bool(settings.token))
    _add_page(app, answerer, settings, guarded)
    _add_model(app, answerer, settings, guarded)
    _add_states(app, meter, guarded)
    _add_errors(app)
    return app


def _add_model(
    app: FastAPI, answerer: Answerer, settings: Settings, guarded: dict[str, Any]
) -> None:
    limits, memory = settings.limits, Memory(settings.limits)
    statuses = {200: schemas.ANSWER, **schemas.problems(408, 413, 415, 422)}
    statuses |= schemas.problems(429, 503, 504)
    predict_options = {**guarded, "responses": {**guarded["responses"], **statuses}}

    @app.post(PREDICT, openapi_extra=schemas.BODY, **predict_options)
    async def predict(request: Request, heat_map: bool = False) -> Response:
        """One or more image files, a prediction for each.

        The status is 200 where any of them has an answer.
        """
        answerer.check(heat_map)
        holding, headers = Holding(limits, memory), request.headers
        try:
            await holding.read(dict(headers), request.stream())
            rows, status, error = await answerer.answers(holding.files, heat_map)
        except ClientDisconnect:
            return Response(status_code=GONE)
        finally:
            holding.release()
        content = {**answerer.about, "predictions": rows}
        return JSONResponse(content if status == 200 else {"error": error, **content}, status)

    @app.get(
        "/v1/model", response_model=schemas.Model, response_description="The model.", **guarded
    )
    async def model() -> dict[str, Any]:
        """What answers, and by which rules."""
        return answerer.about


def _add_states(app: FastAPI, meter: Meter, guarded: dict[str, Any]) -> None:
    @app.get("/healthz", response_model=schemas.State, response_description="It does.")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", response_model=schemas.State, response_description="It has.")
    async def readyz() -> dict[str, str]:
        """The model is loaded and has answered once; before that nothing listens."""
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response, response_description="The counts.", **guarded)
    async def metrics() -> Response:
        """Counts for Prometheus."""
        return Response(meter.text(), media_type=CONTENT_TYPE)


def _add_page(
    app: FastAPI, answerer: Answerer, settings: Settings, guarded: dict[str, Any]
) -> None:
    """Add the page for people; without a token it tells nothing of the run."""
    limits = settings.limits
    service = {
        "draws": settings.has_heat_maps,
        "most_bytes": int(limits.image_mb * MB),
        "too_large": limits.image_too_large().message,
        "model_sha256": answerer.about["model_sha256"],
    }
    page = service_page.make(answerer.predictor.run, service)
    first = page.locked_text if settings.token else page.text
    headers = _page_headers(page.policy)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(first, headers=headers)

    @app.get("/v1/page", response_class=HTMLResponse, include_in_schema=False, **guarded)
    async def whole_page() -> HTMLResponse:
        return HTMLResponse(page.text, headers=headers)

    @app.get(f"{MODULES}{{name}}", response_class=Response, include_in_schema=False)
    async def module(name: str) -> Response:
        if name not in page.modules:
            raise HTTPException(404)
        return Response(page.modules[name], media_type="text/javascript")


def _add_docs(app: FastAPI, needs_token: bool) -> None:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(*TEMPLATES), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        told = {"api": app.openapi(), "base": request.base_url, "needs_token": needs_token}
        text = templates.get_template("docs.html").render(told)
        return HTMLResponse(text, headers=_page_headers(DOCS_POLICY))


def _page_headers(policy: str) -> dict[str, str]:
    return {"content-security-policy": policy, "referrer-policy": "no-referrer"}


def _add_errors(app: FastAPI) -> None:
    """Let every error be one line of JSON, whoever found it."""

    @app.exception_handler(Refused)
    async def refuse(_: Request, refusal: Refused) -> Response:
        return _Refusal(refusal)

    @app.exception_handler(RequestValidationError)
    async def refuse_parameters(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"][1:]))
        return _Refusal(Refused(422, f"{name} to be right", first["msg"], "/docs"))

    @app.exception_handler(HTTPException)
    async def refuse_address(request: Request, error: HTTPException) -> Response:
        received = f"{request.method} {request.url.path[:100]}"
        allow = (error.headers or {}).get("Allow", "")
        what = "an address and a method of /docs"
        return _Refusal(Refused(error.status_code, what, received, "/docs", allow=allow))

    @app.exception_handler(Exception)
    async def refuse_all(_: Request, __: Exception) -> Response:
        return _Refusal(FAULT)  # the gate hears of it too
