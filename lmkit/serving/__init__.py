"""A model behind HTTP: what `lmkit serve` runs (the extra ``serve``: starlette and uvicorn).

One thread works on the model (`lmkit.serving.worker`), in short slices, so that no request waits
for a long one. One event loop talks to clients (`lmkit.serving.app`), so that none waits for a
slow one. `lmkit.serving.forms` says what a request may hold, for the checks and for the OpenAPI
page alike.
"""
