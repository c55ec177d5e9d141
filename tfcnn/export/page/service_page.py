"""The page of a service: that of an export, with a predictor that asks the service."""

from typing import Any, NamedTuple

from markupsafe import Markup

from tfcnn.base import records
from tfcnn.display import html_pages
from tfcnn.export.page import assembly, page_settings
from tfcnn.runs import Run

PREDICTOR = "service_predictor.js"
FOLDER = "page"  # of the modules, below the address of the page
# the scripts of the service itself, and requests to it; nothing else
POLICY = (
    "default-src 'none'; script-src 'self' '{}'; style-src '{}'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ServicePage(NamedTuple):
    """What a service sends to a browser.

    Attributes:
        text: the page of a run.
        locked_text: the page that asks for a token, and tells nothing of the run.
        policy: what a browser may load for either, as the header Content-Security-Policy.
        modules: the text of each module by the name of its file.
    """

    text: str
    locked_text: str
    policy: str
    modules: dict[str, str]


def make(run: Run, service: dict[str, Any]) -> ServicePage:
    """Return the page of a service.

    Args:
        run: that answers.
        service: what its JavaScript must know of the service, JSON-ready: `draws` heat maps or
            not, `most_bytes` of a file, and in which words a larger one is `too_large`; also
            `model_sha256`.
    """
    modules = assembly.modules(PREDICTOR)
    files = {name: name.removeprefix("tfcnn/") for name in modules}
    addresses = {name: f"./{FOLDER}/{file}" for name, file in files.items()}
    import_map = records.to_json({"imports": addresses})
    told = {"import_map": Markup(import_map), "main": f"{FOLDER}/main.js"}
    return ServicePage(
        assembly.render(_settings(run, service), service=told),
        assembly.render(None, service=told),
        POLICY.format(*map(html_pages.script_hash, (import_map, assembly.style_text()))),
        {files[name]: text for name, text in modules.items()},
    )


def _settings(run: Run, service: dict[str, Any]) -> dict[str, Any]:
    settings = {**page_settings.shown(run), "service": service}
    settings["model_sha256"] = service["model_sha256"]
    rule = settings["groups"]
    if rule and rule["kind"] == "not-here" and run.card["data"].get("group_regex"):
        settings["groups"] = None  # a row of the service has its group
    return settings
