"""The interface described: `/openapi.json`, and a page for people that needs nothing from
elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from lmkit import __version__
from lmkit.serving.endpoints import Endpoint
from lmkit.serving.forms import Form, Schema

_ERROR: Schema = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
            "required": ["message", "type", "param", "code"],
        }
    },
    "required": ["error"],
}
_REFUSALS = {
    "400": "The request cannot be understood, or asks for what cannot be done.",
    "403": "The request is for another host, or comes from a page of another site.",
    "404": "There is no such path, or the model cannot do that.",
    "408": "The request took too long to arrive.",
    "413": "The request is too large.",
    "415": "The request is compressed.",
    "500": "An unexpected error.",
    "503": "The queue is full, or the server is stopping: see Retry-After.",
    "504": "The work took too long.",
}


def openapi(endpoints: Sequence[Endpoint], name: str) -> dict[str, Any]:
    """The interface as OpenAPI 3.1 has it."""
    paths: dict[str, Any] = {each.path: {"post": _operation(each)} for each in endpoints}
    listed = {"type": "object", "properties": {"data": {"type": "array"}}, "required": ["data"]}
    paths["/v1/models"] = {"get": _reading("List the one model.", listed)}
    state = {"type": "object", "properties": {"status": {"type": "string"}}}
    paths["/health"] = {"get": _reading("Say whether requests are taken.", state)}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"lmkit serve: {name}", "version": __version__},
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    answer: dict[str, Any] = {"application/json": {"schema": endpoint.answer}}
    if endpoint.streams:
        answer["text/event-stream"] = {"schema": {}}
    form = {"application/json": {"schema": endpoint.form.schema()}}
    return {
        "operationId": endpoint.form.name,
        "summary": endpoint.summary,
        "requestBody": {"required": True, "content": form},
        "responses": {"200": {"description": "The answer.", "content": answer}, **_refusals()},
    }


def _reading(summary: str, schema: Schema) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {
        "summary": summary,
        "responses": {"200": {"description": "The answer.", "content": content}, **_refusals()},
    }


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": what, "content": content} for status, what in _REFUSALS.items()}


def page(endpoints: Sequence[Endpoint], name: str) -> str:
    """The interface as a page: each path with its fields, and a place to try it."""
    parts = [_section(each) for each in endpoints]
    return _PAGE.format(name=escape(name), sections="\n".join(parts))


def _section(endpoint: Endpoint) -> str:
    example = escape(json.dumps(endpoint.form.example, ensure_ascii=False))
    path = escape(endpoint.path)
    return (
        f"<section><h2><code>POST {path}</code></h2><p>{escape(endpoint.summary)}</p>"
        f"<table><tr><th>field</th><th>kind</th><th>default</th><th></th></tr>"
        f"{_rows(endpoint.form)}</table>"
        f'<form data-path="{path}"><textarea rows="3">{example}</textarea>'
        f"<button>Send</button><pre></pre></form></section>"
    )


def _rows(form: Form) -> str:
    rows = []
    for name, field in form.fields.items():
        default = "required" if field.required else json.dumps(field.default)
        cells = (name, _kind(field.schema), default, field.description)
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return "".join(rows)


def _kind(schema: Schema) -> str:
    if "anyOf" in schema:
        return ", or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return json.dumps(schema["enum"][0])
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    bounds = f", {low} to {schema['maximum']}" if "maximum" in schema else ""
    return f"{schema['type']}{bounds}"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>lmkit serve: {name}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark; }}
table {{ border-collapse: collapse; }}
td, th {{ text-align: left; vertical-align: top; padding: 0.1rem 1rem 0.1rem 0; }}
td:first-child, pre, textarea {{ font-family: monospace; }}
textarea {{ width: 100%; box-sizing: border-box; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
</style></head><body>
<h1>{name}</h1>
<p>Each path takes a JSON object. <a href="/openapi.json">openapi.json</a> says the same for
programs; <a href="/v1/models">/v1/models</a> and <a href="/health">/health</a> take nothing.</p>
{sections}
<script>
for (const form of document.querySelectorAll("form")) form.onsubmit = async (event) => {{
  event.preventDefault();
  const shown = form.querySelector("pre");
  try {{
    const answer = await fetch(form.dataset.path, {{ method: "POST",
      headers: {{ "content-type": "application/json" }},
      body: form.querySelector("textarea").value }});
    const text = await answer.text();
    try {{ shown.textContent = JSON.stringify(JSON.parse(text), null, 1); }}
    catch {{ shown.textContent = text; }}
  }} catch (error) {{ shown.textContent = error; }}
}};
</script></body></html>
"""
